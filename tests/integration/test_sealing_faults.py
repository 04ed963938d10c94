"""What keeps the sealer from its work is said in words, and what it can do it does."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.db import tables as t
from reviewsvc.domain.signing import Answer, SignsCheckpoints
from reviewsvc.outside.signer_socket import SocketSigner
from reviewsvc.signer import served
from reviewsvc.usecases.sealing import Sealer
from reviewsvc.usecases.steps import seal_step
from reviewsvc.usecases.turns import Turns
from tests.fixtures.cases import event
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Clock

pytestmark = pytest.mark.real
CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"
MINE = f"log_id = (SELECT log_id FROM log WHERE name = '{CAPTURED}')"
ROOT = "log_id = (SELECT log_id FROM log WHERE name = 'root/0')"
FOREIGN = f"SELECT log_id, 0, 0, convert_to(repeat('x', 8192), 'utf8') FROM log WHERE name = '{CAPTURED}'"


def capture(held: SealedBank, count: int, name: str) -> None:
    held.bank.capture([event(f"{name}-{number}", subject=None) for number in range(count)])


def cheat(owner_url: str, *statements: str) -> None:
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET session_replication_role = replica")
        for statement in statements:
            conn.execute(statement)


class Turning:
    """A worker that seals, its clock, and what it says."""

    def __init__(self, held: SealedBank, sealer: Sealer) -> None:
        self._held, self._clock = held, Clock(AT + timedelta(minutes=1))
        self._turns = Turns(held.sessions, [seal_step(sealer)], self._clock)

    def why(self) -> str:
        """Why it does not seal, the same in /readyz and on the page of health; nothing if it does."""
        self._clock.at += timedelta(minutes=2)
        self._turns.turn()
        kept = self._held.bank.rows(sa.select(t.step_trouble.c.why))
        told = [each.partition(": ")[2] for each in self._turns.reasons()]
        assert told == [row.why for row in kept]
        return told[0] if told else ""


@pytest.fixture
def turning(signed: SealedBank, monkeypatch: pytest.MonkeyPatch) -> Turning:
    monkeypatch.setattr("reviewsvc.usecases.turns._TROUBLED_SECONDS", -1.0)
    capture(signed, 300, "p")
    signed.seal()
    capture(signed, 3, "q")
    return Turning(signed, signed.sealer)


def anew(held: SealedBank, signer: SignsCheckpoints | None = None) -> Turning:
    """A worker that has just started."""
    return Turning(held, Sealer(held.sessions, signer or held.signer))


def test_what_was_removed_or_put_there_is_said_and_begins_no_second_history(
    signed: SealedBank, turning: Turning, owner_url: str
) -> None:
    rows = f"CREATE TABLE kept AS SELECT * FROM checkpoint WHERE {MINE}"
    cheat(owner_url, rows, f"DELETE FROM checkpoint WHERE {MINE}")
    signed.bank.person("anna")
    assert turning.why().startswith(f"{CAPTURED}: root/0, seq ")
    assert "checkpoints of it were removed" in turning.why()
    cheat(owner_url, "INSERT INTO checkpoint SELECT * FROM kept")
    assert turning.why() == ""
    assert signed.logs()[CAPTURED].size == 304
    cheat(owner_url, f"DELETE FROM tile WHERE {MINE}", f"INSERT INTO tile {FOREIGN}")
    signed.bank.capture([event("r", subject=None)])
    assert "do not give the root that was signed" in anew(signed).why()


WRONG = {
    "a tile of another length": (
        (
            "ALTER TABLE tile DROP CONSTRAINT tile_data_check",
            f"UPDATE tile SET data = '\\x00' WHERE {MINE}",
        ),
        "audit verify",
    ),
    "a tile put where the next comes": (
        ("INSERT INTO tile " + FOREIGN.replace("0, 0", "0, 1"),),
        "tiles of it are stored beyond its 301 entries",
    ),
    "the root log without entries": ((f"DELETE FROM entry WHERE {ROOT}",), "root/0: "),
    "the root log's head behind its entries": (
        (f"UPDATE head SET size = size - 1 WHERE {ROOT}",),
        "stands where the next seal comes to stand",
    ),
    "the root log without a head": (
        (f"DELETE FROM head WHERE {ROOT}",),
        "the head of the root log is missing",
    ),
    "no root log": (("DELETE FROM log WHERE name = 'root/0'",), "the root log is missing"),
    "no good key": (("UPDATE signing_key SET valid_until = 1",), "no signing key is good any more"),
    "a key that is none": (("UPDATE signing_key SET vkey = 'nonsense'",), "nonsense"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_the_database_is_said(
    signed: SealedBank, turning: Turning, owner_url: str, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    statements, told = WRONG[case]
    cheat(owner_url, *statements)
    capture(signed, 300, "r")
    # Who has sealed before reads no older entries again; who starts anew does.
    assert told in f"{anew(signed).why()} {turning.why()}"
    assert "Traceback" not in capfd.readouterr().err


def test_a_signer_in_trouble_is_said_and_well_again_it_goes_on(turning: Turning, tmp_path: Path) -> None:
    state = tmp_path / "signer.state"
    good = state.read_bytes()
    for bad, told in {
        good[:-7]: "it is damaged: put back",
        b"": "it is damaged",
        good.replace(b"audit.", b"other."): "put the right state there",
    }.items():
        state.write_bytes(bad)
        assert told in turning.why()
    state.unlink()
    assert "is missing, so that what was signed is not known" in turning.why()
    state.write_bytes(good)
    assert turning.why() == ""


class Leaving(LogSigner):
    """A signer whose process ends when it is to sign."""

    def sign(self, *_: object) -> list[Answer]:
        raise ConnectionAbortedError


@pytest.mark.usefixtures("turning")
def test_a_signer_that_goes_in_the_middle_is_said(signed: SealedBank, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    caller = anew(signed, SocketSigner(path))
    assert "start `reviewsvc signer`" in caller.why()
    state = signed.key_file.with_name("signer.state")
    with served(Leaving(signed.key_file, state), path):
        assert "broke off, or is none" in caller.why()
    with served(LogSigner(signed.key_file, state), path):
        assert caller.why() == ""
