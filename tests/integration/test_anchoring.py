import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc.crypto.cosignatures import opened
from reviewsvc.crypto.cosigner import Cosigner, make_keys
from reviewsvc.crypto.notes import COSIGNATURE, Signer, Verifier, parse_verifier
from reviewsvc.db import logs
from reviewsvc.db import tables as t
from reviewsvc.db.hot import anchored
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.anchoring import Anchor, Head, Kept, State
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.entries import parse
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.witness_policy import parse_policy
from reviewsvc.usecases import anchors
from reviewsvc.usecases.anchor_check import check
from reviewsvc.usecases.anchor_choice import Choice, chosen
from reviewsvc.usecases.anchoring import Anchorer, NotOursToGiveError
from reviewsvc.usecases.outside_view import Outside
from reviewsvc.usecases.receipts import Prover
from reviewsvc.usecases.verification import verify
from reviewsvc.witness import served
from tests.fixtures.bundled import alone, bundle
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank
from tests.fixtures.stamping import authority

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Partner(NamedTuple):
    """Somebody else's witness, its folder, and its key."""

    url: str
    folder: Path
    vkey: str


@contextmanager
def partner(held: SealedBank, folder: Path) -> Iterator[Partner]:
    folder.mkdir()
    (key,) = make_keys(folder / "key", f"{folder.name}.example/w", folder / "state")
    root = held.logs()["root/0"]
    logs_keys = [_named(parse_verifier(vkey), root.name) for vkey in held.vkeys()]
    with served(Cosigner(folder / "key", folder / "state", logs_keys), "127.0.0.1", 0) as port:
        yield Partner(f"http://127.0.0.1:{port}", folder, key.verifier().text())


def _named(key: Verifier, log: str) -> Verifier:
    return Verifier(f"{key.name}/{log}", key.kind, key.key)


def anchorer(held: SealedBank, choice: Choice) -> Anchorer:
    return Anchorer(held.sessions, held.bank.house.keyring, *chosen(choice))


def states(held: SealedBank) -> dict[str, State]:
    with held.sessions.begin() as session:
        return {each.name: each for each in anchors.state(session)}


def since(held: SealedBank) -> int | None:
    with held.sessions.begin() as session:
        found = anchors.overview(session).since
        assert anchored.unanchored_since(Sessions.psycopg(session)) == found
    return found


def sealed(held: SealedBank) -> int:
    return held.logs()["root/0"].size


def act(held: SealedBank, at: datetime) -> None:
    """Do something that is worth a seal."""
    held.bank.house.add_person(f"p{at.timestamp():.0f}")
    held.seal(at)


def said(held: SealedBank) -> list[dict[str, object]]:
    """What entries say of anchors, in order."""
    with held.sessions.begin() as session:
        places = session.execute(sa.select(t.anchor.c.log_id, t.anchor.c.seq).order_by(t.anchor.c.seq)).all()
        found = [parse(logs.one(session, *place)) for place in places]
    return [dict(_facts(entry.facts)) for entry in found]


def _facts(raw: bytes) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(raw)
    return found


def test_two_witnesses_a_folder_and_an_authority_keep_what_is_sealed(
    signed: SealedBank, tmp_path: Path
) -> None:
    signed.seal()
    far = tmp_path / "far"
    far.mkdir()
    with (
        partner(signed, tmp_path / "a") as a,
        partner(signed, tmp_path / "b") as b,
        authority(tmp_path / "t") as tsa,
    ):
        policy = tmp_path / "policy.txt"
        policy.write_text(
            f"witness a {a.vkey} {a.url}\nwitness b {b.vkey} {b.url}\ngroup g all a b\nquorum g\n"
        )
        choice = Choice(
            policy_file=str(policy), tsa_url=tsa.url, tsa_ca_file=str(tsa.ca_file), folder=str(far)
        )
        made = anchorer(signed, choice)
        assert made.step(AT) == 4
        size = sealed(signed)
        assert {each.name: each.size for each in states(signed).values()} == dict.fromkeys(
            ("a", "b", "folder", "time_stamp", "quorum"), size
        )
        assert since(signed) is None
        act(signed, AT + SECOND)
        assert made.step(AT + 2 * SECOND) == 0, "each has a period"
        assert made.step(AT + MINUTE) == 4
    root = signed.logs()["root/0"]
    body = root.note.rpartition("\n\n")[0] + "\n"
    with signed.sessions.begin() as session:
        cosigned = session.execute(
            sa.select(t.cosignature.c.vkey, t.cosignature.c.line).where(t.cosignature.c.size == root.size)
        ).all()
        stamps = session.execute(sa.select(t.time_stamp.c.sha256, t.time_stamp.c.answer)).all()
    assert sorted(vkey for vkey, _ in cosigned) == sorted([a.vkey, b.vkey])
    assert all(opened(parse_verifier(vkey), body, line) for vkey, line in cosigned)
    assert all(bytes(hashed) == sha256(answer).digest() for hashed, answer in stamps)
    assert {each["evidence"] for each in said(signed) if each["how"] == "time_stamp"} == {
        bytes(hashed).hex() for hashed, _ in stamps
    }
    assert len(list((far / "root" / "0").iterdir())) == 2


class Silent:
    """An anchor that shows nothing of what it has."""

    def newest(self, _log: str, _old: int) -> None:
        return None


class Stamps(Silent):
    """An anchor that gives back as much as time-stamp authorities do."""

    kind, place, every_s, vkey = "time_stamp", "", 60, None

    def __init__(self, name: str) -> None:
        self.name = name

    def keep(self, head: Head, _old: int) -> Kept:
        return Kept(evidence=f"{self.name} {head.size} ".encode() * 400)


def test_an_idle_house_anchors_hourly_and_hardly_grows(signed: SealedBank, tmp_path: Path) -> None:
    signed.seal()
    others: Sequence[Anchor] = chosen(Choice(folder=str(tmp_path)))[0]
    made = Anchorer(signed.sessions, signed.bank.house.keyring, [*others, *map(Stamps, "abcd")])
    assert made.step(AT) == 5
    first, size = sealed(signed), stored_bytes(signed)
    kept = 0
    for turn in range(1, 24 * 12):
        signed.seal(AT + turn * 5 * MINUTE)
        kept += made.step(AT + turn * 5 * MINUTE)
    assert kept == 5 * 23
    assert sealed(signed) - first == 23
    assert [each["outcome"] for each in said(signed)] == ["kept"] * 5 * 24
    assert stored_bytes(signed) - size < 1_000_000
    before = sealed(signed)
    act(signed, AT + 24 * HOUR - 30 * SECOND)
    assert sealed(signed) > before, "something else is sealed at once, and the anchors' entries with it"


def stored_bytes(held: SealedBank) -> int:
    with held.sessions.begin() as session:
        return int(session.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)


def test_what_fails_is_retried_with_patience_told_once_an_hour_and_seen(
    signed: SealedBank, tmp_path: Path
) -> None:
    signed.seal()
    made = anchorer(signed, Choice(folder=str(tmp_path / "missing")))
    tries = 0
    for minute in range(3 * 60):
        before = states(signed).get("folder")
        made.step(AT + minute * MINUTE)
        tries += states(signed)["folder"].failures != (before.failures if before else 0)
    assert 12 <= tries <= 20
    assert len(said(signed)) <= 4
    state = states(signed)["folder"]
    assert (state.outcome, state.since) == ("broken", microseconds(AT))
    assert since(signed) == microseconds(AT)
    assert made.remarks() == [f"the anchor folder lacks checkpoints for {179 * 60} s"]
    (tmp_path / "missing").mkdir()
    assert made.step(AT + 4 * HOUR) == 1
    assert (since(signed), made.remarks(), states(signed)["folder"].why) == (None, [], None)
    assert anchorer(signed, Choice()).step(AT + 4 * HOUR) == 0
    assert states(signed) == {}, "what is not configured any more is not waited for"


def test_what_is_no_checkpoint_of_ours_is_given_to_nobody(
    signed: SealedBank, tmp_path: Path, owner_url: str
) -> None:
    signed.seal()
    made = anchorer(signed, Choice(folder=str(tmp_path)))
    for broken in ("'nonsense'", "replace(note, E'\n' || size || E'\n', E'\n1\n')", "right(note, 9)"):
        with psycopg.connect(owner_url) as owner:
            owner.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT log_id, note FROM checkpoint")
            owner.execute("SET session_replication_role = replica")
            owner.execute(f"UPDATE checkpoint SET note = {broken}")
        with pytest.raises(NotOursToGiveError, match="put the row back from a backup"):
            made.step(AT)
        with psycopg.connect(owner_url) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute("UPDATE checkpoint c SET note = k.note FROM kept k WHERE k.log_id = c.log_id")
    assert made.step(AT) == 1


def test_a_witness_that_knows_more_than_is_signed_is_an_alarm(signed: SealedBank, tmp_path: Path) -> None:
    signed.seal()
    with partner(signed, tmp_path / "a") as a:
        policy = tmp_path / "policy.txt"
        policy.write_text(f"witness a {a.vkey} {a.url}\nquorum a\n")
        choice = Choice(policy_file=str(policy))
        assert anchorer(signed, choice).step(AT) == 1
        text = (a.folder / "state").read_text()
        size = sealed(signed)
        (a.folder / "state").write_text(text.replace(f"\n{size} ", f"\n{size + 7} "))
        act(signed, AT + SECOND)
        made = anchorer(signed, choice)
        assert made.step(AT + MINUTE) == 0
        state = states(signed)["a"]
        assert state.outcome == "fork"
        assert "a fork, or entries were lost" in (state.why or "")
        assert made.remarks() == [f"the anchor a: {state.why}"], "at once, not when it is late"
        assert states(signed)["quorum"].size == size
        assert since(signed) == microseconds(AT + SECOND)
        act(signed, AT + 2 * SECOND)  # A number is no proof: nobody is kept from writing by it.


class Stuck(Silent):
    """An anchor that never answers."""

    name, kind, place, every_s, vkey = "stuck", "folder", "", 60, None

    def __init__(self) -> None:
        self.asked = 0
        self.end = Event()

    def keep(self, _head: Head, _old: int) -> Kept:
        self.asked += 1
        self.end.wait(30)
        return Kept()


def test_one_that_never_answers_delays_no_other_and_is_asked_once(signed: SealedBank, tmp_path: Path) -> None:
    signed.seal()
    stuck = Stuck()
    others: Sequence[Anchor] = chosen(Choice(folder=str(tmp_path)))[0]
    made = Anchorer(signed.sessions, signed.bank.house.keyring, [stuck, *others], patience_s=0.2)
    assert made.step(AT) == 1
    assert made.step(AT + HOUR) == 0
    stuck.end.set()
    assert stuck.asked == 1
    assert {name: state.outcome for name, state in states(signed).items()} == {
        "folder": "kept",
        "stuck": "unreachable",
    }


def test_entries_of_anchors_are_verified_with_their_rows(signed: SealedBank, tmp_path: Path) -> None:
    signed.seal()
    with partner(signed, tmp_path / "a") as a:
        policy = tmp_path / "policy.txt"
        policy.write_text(f"witness a {a.vkey} {a.url}\nquorum a\n")
        assert anchorer(signed, Choice(policy_file=str(policy), folder=str(tmp_path))).step(AT) == 2
    other = Signer("x", COSIGNATURE, bytes(32)).verifier().text()
    unmet = parse_policy(f"witness x {other}\nquorum x\n".encode())
    with signed.sessions.begin() as session:
        conn = Sessions.psycopg(session)
        report = verify(conn)
        met = verify(conn, outside=Outside(policy=parse_policy(policy.read_bytes())))
        missing = verify(conn, outside=Outside(policy=unmet))
    assert (report.verdict, report.findings) == ("SELF-CONSISTENT", [])
    assert any("a split view is not excluded" in each for each in report.not_proved)
    assert (met.verdict, met.findings) == ("SELF-CONSISTENT", [])
    assert f"the witnesses of the policy cosigned {sealed(signed)} entries of the root log" in met.remarks
    assert not any("a split view" in each for each in met.not_proved)
    assert (missing.verdict, [each.log for each in missing.findings]) == ("INCOMPLETE", ["(anchors)"])


def test_what_leaves_stands_on_what_was_cosigned_and_its_stamp_is_with_it(
    signed: SealedBank, tmp_path: Path
) -> None:
    signed.seal()
    with partner(signed, tmp_path / "a") as a, authority(tmp_path / "t") as tsa:
        policy = tmp_path / "policy.txt"
        policy.write_text(f"witness a {a.vkey} {a.url}\nquorum a\n")
        choice = Choice(policy_file=str(policy), tsa_url=tsa.url, tsa_ca_file=str(tsa.ca_file))
        assert anchorer(signed, choice).step(AT) == 2
        size = sealed(signed)
        act(signed, AT + SECOND)
        made = bundle(signed, Question("range"), tmp_path)
        words = ["--keys", str(made.keys), "--policy", str(policy)]
        code, told = alone(tmp_path, *words, str(made.zipped))
        assert (code, told.split("\n")[0]) == (0, "VERIFIED"), told
        stamped = made.folder / "time-stamps" / f"root-{size}"
        words = ["-in", f"{stamped}.tsr", "-data", f"{stamped}.checkpoint", "-CAfile", str(tsa.ca_file)]
        ended = subprocess.run(["openssl", "ts", "-verify", *words], capture_output=True, check=False)
        assert ended.stdout.strip() == b"Verification: OK", ended.stderr
        assert f"{stamped.name}.tsr" in told
    others = tmp_path / "others.txt"
    others.write_text(f"witness x {Signer('x', COSIGNATURE, bytes(32)).verifier().text()}\nquorum x\n")
    code, told = alone(tmp_path, "--keys", str(made.keys), "--policy", str(others), str(made.zipped))
    assert (code, told.split("\n")[0]) == (2, "INCOMPLETE")
    with signed.sessions.begin() as session:
        receipt = Prover().receipt(Sessions.psycopg(session), "activity/0/0", 0).text()
    (tmp_path / "receipt").write_bytes(receipt)
    assert len(receipt) <= 6_000
    words = ["--keys", str(made.keys), "--policy", str(policy)]
    assert alone(tmp_path, *words, str(tmp_path / "receipt"))[0] == 0


def test_a_changed_cosignature_or_stamp_is_found(signed: SealedBank, tmp_path: Path, owner_url: str) -> None:
    signed.seal()
    with partner(signed, tmp_path / "a") as a, authority(tmp_path / "t") as tsa:
        policy = tmp_path / "policy.txt"
        policy.write_text(f"witness a {a.vkey} {a.url}\nquorum a\n")
        choice = Choice(policy_file=str(policy), tsa_url=tsa.url, tsa_ca_file=str(tsa.ca_file))
        anchorer(signed, choice).step(AT)
    assert wrong(signed) == []
    other = Signer("x", COSIGNATURE, bytes(32))
    line = other.line("something else\n", 7)
    changes = {
        f"UPDATE cosignature SET vkey = '{other.verifier().text()}', line = '{line}'": "is not one of",
        "UPDATE time_stamp SET answer = answer || '\\x00'::bytea": "whose hash the entry has",
        "DELETE FROM time_stamp": "missing",
    }
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        for change, what in changes.items():
            owner.execute(change)
            assert any(what in each for each in wrong(signed)), change
    with signed.sessions.begin() as session:
        report = verify(Sessions.psycopg(session))
    assert report.verdict == "TAMPERED"
    assert {each.log for each in report.findings} >= {"(anchors)"}


def wrong(held: SealedBank) -> list[str]:
    with held.sessions.begin() as session:
        return [each.what for each in check(Sessions.psycopg(session))]
