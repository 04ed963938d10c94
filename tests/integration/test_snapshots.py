"""A database set back together with its signer's memory: what left the house is held against it."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from reviewsvc import cli
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import ED25519, Signer, sign
from reviewsvc.db import logs
from reviewsvc.db.hot import guards
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.hot.guards import RestoredError
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.usecases import adopting, guarding
from reviewsvc.usecases.adopting import Adoption
from reviewsvc.usecases.anchor_choice import Choice
from reviewsvc.usecases.anchoring import Anchorer
from reviewsvc.usecases.sealing import Sealer
from tests.fixtures.installed import AT, KEK_BYTES, ORIGIN
from tests.integration.test_adopting import OFFICER, SECOND, SetBack, set_back
from tests.integration.test_anchoring import HOUR, anchorer, said, states

__all__ = ["set_back"]
pytestmark = pytest.mark.real


class Snapshot(NamedTuple):
    """An older state of a whole machine, and a folder elsewhere that has seen more of it."""

    back: SetBack
    signer: LogSigner
    far: Path

    @property
    def choice(self) -> Choice:
        return Choice(folder=str(self.far))

    def anchorer(self) -> Anchorer:
        return anchorer(self.back.held._replace(sessions=self.back.sessions), self.choice)

    def root(self) -> int:
        """How far the root log is sealed here."""
        with self.back.sessions.begin() as session:
            found = stored.sealed_log(Sessions.psycopg(session), "root/0")
        assert found is not None
        return found.size

    def go_on(self, turns: int) -> None:
        """Let the house write and seal, as if nothing had been."""
        sealer = Sealer(self.back.sessions, self.signer)
        for turn in range(turns):
            self.back.bank.person(f"somebody-{turn}")
            sealer.step(AT + (turn + 2) * SECOND)

    def adoption(self) -> Adoption:
        return Adoption(OFFICER, "the machine was set back", self.signer.everything())


@pytest.fixture
def snapshot(set_back: SetBack, tmp_path: Path) -> Snapshot:
    far = tmp_path / "far"
    far.mkdir()
    signer = LogSigner(set_back.held.key_file, tmp_path / "older.state")
    signer.begin()
    return Snapshot(set_back, signer, far)


def anchored(snapshot: Snapshot) -> int:
    """Let the newer house anchor what it has, before the machine is set back."""
    assert anchorer(snapshot.back.held, snapshot.choice).step(AT + HOUR) == 1
    return snapshot.back.held.logs()["root/0"].size


def test_at_the_start_the_anchors_say_what_is_lost_and_adoption_names_it(snapshot: Snapshot) -> None:
    back, here, kept = snapshot.back, snapshot.root(), anchored(snapshot)
    assert here < kept
    guarding.confirm(back.sessions, snapshot.signer, AT)
    notes, silent = snapshot.anchorer().shown()
    assert silent == {}
    told = f"root/0: {kept} entries were signed, {here} are here"
    with pytest.raises(RestoredError, match=told):
        guarding.confirm(back.sessions, snapshot.signer, AT, notes)
    for role in ("web", "worker", "capture", "relay"):
        with connect(back.database_url, role) as conn, pytest.raises(RestoredError, match="restore adopt"):
            guards.check(conn)
    with pytest.raises(RestoredError, match=told):
        guarding.confirm(back.sessions, snapshot.signer, AT)
    done = adopting.adopt(back.sessions, back.bank.house.keyring, snapshot.adoption(), AT + SECOND, lambda: 0)
    assert [(each.name, each.lost_from, each.lost_to) for each in done.lost] == [("root/0", here, kept)]
    first = back.first("root/1")
    assert (first.size, first.signed, first.lost_from, first.lost_to) == (here, kept, here, kept)
    snapshot.go_on(1)
    assert snapshot.anchorer().step(AT + 2 * HOUR) == 1
    guarding.confirm(back.sessions, snapshot.signer, AT, snapshot.anchorer().shown().notes)


@pytest.mark.parametrize("turns", [1, 9])
def test_a_house_that_has_gone_on_is_stopped_at_its_next_anchoring(snapshot: Snapshot, turns: int) -> None:
    back, here = snapshot.back, snapshot.root()
    # The folder has what both histories have, too.
    assert snapshot.anchorer().step(AT) == 1
    kept = anchored(snapshot)
    snapshot.go_on(turns)
    assert (snapshot.root() > kept) == (turns > 1)
    made = snapshot.anchorer()
    assert made.step(AT + 2 * HOUR) == 0
    assert states(back.held._replace(sessions=back.sessions))["folder"].outcome == "fork"
    assert "Stop writing" in made.remarks()[0]
    assert said(back.held._replace(sessions=back.sessions))[-1]["outcome"] == "fork"
    with pytest.raises(logs.LogFrozenError, match="restore adopt"):
        back.bank.person("berta")
    planned = adopting.plan(back.sessions, snapshot.adoption())
    # Where the two part is known if a checkpoint that was kept stands in between.
    parted = here if turns > 1 else snapshot.root()
    assert [(each.name, each.lost_from, each.lost_to) for each in planned.lost] == [("root/0", parted, kept)]


def test_what_no_key_of_ours_signed_stops_nobody_and_who_is_away_neither(snapshot: Snapshot) -> None:
    liar = Signer(f"{ORIGIN}/root/0", ED25519, bytes(32))
    text = Checkpoint(f"{ORIGIN}/root/0", 9_999, bytes(32)).text()
    folder = snapshot.far / "root" / "0"
    folder.mkdir(parents=True)
    (folder / "000000000009999.checkpoint").write_text(sign(text, [liar.line(text)]))
    back, made = snapshot.back, snapshot.anchorer()
    guarding.confirm(back.sessions, snapshot.signer, AT, made.shown().notes)
    assert made.step(AT) == 0
    assert states(back.held._replace(sessions=back.sessions))["folder"].outcome == "fork"
    assert "9999 entries of our root log" in made.remarks()[0]
    back.bank.person("berta")
    snapshot.far.rename(snapshot.far.with_name("gone"))
    assert made.shown().notes == []
    assert "is its disk mounted" in made.shown().silent["folder"]


def test_the_command_asks_the_anchors_itself(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, kept = snapshot.root(), anchored(snapshot)
    (tmp_path / "kek").write_text(KEK_BYTES.hex())
    (tmp_path / "kek").chmod(0o600)
    for name, value in {
        "DATABASE_URL": snapshot.back.database_url,
        "REVIEWSVC_KEK_FILE": str(tmp_path / "kek"),
        "REVIEWSVC_ORIGIN": ORIGIN,
        "REVIEWSVC_SIGNING_KEY_FILE": str(snapshot.back.held.key_file),
        "REVIEWSVC_SIGNER_STATE_FILE": str(tmp_path / "older.state"),
        "REVIEWSVC_ERASURE_JOURNAL": str(tmp_path / "erasures.jsonl"),
        "REVIEWSVC_ANCHOR_FOLDER": str(snapshot.far),
    }.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(["restore", "adopt", "--yes", "--json"])
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert json.loads(told.out)["lost"] == [{"log": "root/0", "from": here, "to": kept - 1}]
    assert f"entries {here} to {kept - 1} are lost" in told.err
