from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from msgspec.json import decode

from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.db import logs, seals
from reviewsvc.db import tables as t
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.schema import downgrade, upgrade
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.checkpoint import Checkpoint, parse_checkpoint
from reviewsvc.domain.entries import Ref, leaf_hash, parse
from reviewsvc.domain.facts import Checkpoint as Said
from reviewsvc.domain.signing import SigningError
from reviewsvc.domain.tree import inclusion_proof, root_of, verify_consistency, verify_inclusion
from reviewsvc.usecases import tiles
from reviewsvc.usecases.sealing import Sealer, SealingError
from tests.fixtures.cases import Bank, event
from tests.fixtures.installed import AT, ORIGIN
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"
MINE = f"(SELECT log_id FROM log WHERE name = '{CAPTURED}')"


def bodies(held: SealedBank, log_id: int) -> list[bytes]:
    with held.sessions.begin() as session:
        return [one.body for one in logs.read(session, log_id, -1, 100_000)]


def capture(held: SealedBank, count: int, name: str = "p") -> None:
    held.bank.capture([event(f"{name}-{number}", subject=None) for number in range(count)])


def count(held: SealedBank, table: sa.Table) -> int:
    amount: int = held.bank.rows(sa.select(sa.func.count()).select_from(table))[0][0]
    return amount


def test_nothing_is_signed_until_a_key_is_announced(unsigned: SealedBank) -> None:
    unsigned.seal()
    assert count(unsigned, t.checkpoint) == 0
    with unsigned.sessions.begin() as session:
        root_id = unsigned.bank.house.installation.root_log_id
        assert (seals.sealed_size(session, root_id), seals.leaving_size(session, root_id)) == (None, 1)


def test_every_log_is_signed_over_the_bytes_that_are_stored(signed: SealedBank) -> None:
    capture(signed, 600)
    assert signed.seal() == 0
    found = signed.logs()
    assert found[CAPTURED].size == 601
    assert len(found) == count(signed, t.log)
    for log in found.values():
        text = signed.opened(log.name, log.note).text
        leaves = [leaf_hash(body) for body in bodies(signed, log.log_id)]
        assert parse_checkpoint(text) == Checkpoint(f"{ORIGIN}/{log.name}", len(leaves), root_of(leaves))
    with signed.sessions.begin() as session:
        assert seals.sealed_size(session, found[CAPTURED].log_id) == 601


def test_the_root_log_holds_each_checkpoint_with_its_proof_from_the_one_before(signed: SealedBank) -> None:
    for number in range(3):
        capture(signed, 300, f"p{number}")
        signed.seal(AT + number * SECOND)
    entries = [parse(body) for body in bodies(signed, signed.logs()["root/0"].log_id)]
    assert [each.kind for each in entries[1:]] == ["checkpoint"] * (len(entries) - 1)
    told = [(each.ref, decode(each.facts, type=Said)) for each in entries[1:]]
    mine = [said for _, said in told if said.log == CAPTURED]
    assert [(said.previous, said.size) for said in mine] == [(0, 301), (301, 601), (601, 901)]
    assert [ref for ref, said in told if said.log == CAPTURED] == [
        Ref(CAPTURED, said.size - 1) for said in mine
    ]
    for before, said in pairwise(mine):
        proof = [bytes.fromhex(each) for each in said.proof]
        roots = bytes.fromhex(before.root), bytes.fromhex(said.root)
        verify_consistency(before.size, said.size, *roots, proof)


def test_when_nothing_was_added_nothing_is_written(signed: SealedBank) -> None:
    capture(signed, 10)
    signed.seal()
    before = (count(signed, t.entry), count(signed, t.checkpoint), signed.logs())
    signed.seal(AT + SECOND)
    assert (count(signed, t.entry), count(signed, t.checkpoint), signed.logs()) == before


def test_a_log_that_did_not_grow_is_not_signed_again(signed: SealedBank) -> None:
    signed.seal()
    before = signed.logs()
    capture(signed, 1)
    signed.seal(AT + SECOND)
    after = signed.logs()
    assert {name for name in after if after[name] != before.get(name)} == {CAPTURED, "root/0"}


def test_a_long_log_is_brought_in_by_parts(signed: SealedBank) -> None:
    capture(signed, 600)
    sealer = Sealer(signed.sessions, signed.signer, at_once=256)
    assert [sealer.step(AT + n * SECOND) for n in range(4)] == [345, 89, 0, 0]
    with signed.sessions.begin() as session:
        log_id = logs.find(session, CAPTURED)
        rows = stored.checkpoints(Sessions.psycopg(session), log_id, range(10_000))
    assert [row.size for row in rows] == [256, 512, 601]


def test_full_tiles_are_kept_and_prove_every_entry(signed: SealedBank) -> None:
    capture(signed, 300)
    signed.seal()
    capture(signed, 300, "q")
    signed.seal(AT + SECOND)
    log = signed.logs()[CAPTURED]
    leaves = [leaf_hash(body) for body in bodies(signed, log.log_id)]
    with signed.sessions.begin() as session:
        conn = Sessions.psycopg(session)
        kept = stored.tiles(conn, log.log_id, 0, range(10))
        assert [each.data for each in kept] == [b"".join(leaves[:256]), b"".join(leaves[256:512])]
        read = tiles.node_reader(conn, log)
        for seq in (0, 255, 256, 511, 512, 600):
            verify_inclusion(leaves[seq], seq, 601, inclusion_proof(seq, 601, read), log.root)


def test_a_sealer_that_starts_anew_goes_on_from_tiles_and_entries(signed: SealedBank) -> None:
    for number in range(4):
        capture(signed, 200, f"p{number}")
        Sealer(signed.sessions, signed.signer).step(AT + number * SECOND)
    log = signed.logs()[CAPTURED]
    assert (log.size, log.root) == (801, root_of([leaf_hash(body) for body in bodies(signed, log.log_id)]))


def test_many_sealers_at_once_make_one_history(signed: SealedBank) -> None:
    def work(number: int) -> None:
        own = Sealer(signed.sessions, LogSigner(signed.key_file, signed.key_file.with_name("signer.state")))
        for turn in range(4):
            if number == 0:
                capture(signed, 30, f"p{turn}")
            with suppress(sa.exc.TimeoutError):
                own.step(AT + turn * SECOND)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    signed.seal(AT + 9 * SECOND)
    entries = [parse(body) for body in bodies(signed, signed.logs()["root/0"].log_id)]
    told = [decode(each.facts, type=Said) for each in entries[1:]]
    mine = [said for said in told if said.log == CAPTURED]
    assert mine[-1].size == 121
    assert [said.previous for said in mine] == [0, *(said.size for said in mine[:-1])]


class DyingSigner:
    """Signs, and then the process dies before anybody hears of it."""

    def __init__(self, signer: LogSigner) -> None:
        self._signer = signer
        self.tips = signer.tips

    def sign(self, *asked: object) -> list[object]:
        self._signer.sign(*asked)  # type: ignore[arg-type]  # passed on as they came
        raise SigningError("died")


def test_a_crash_between_signing_and_entering_loses_nothing(signed: SealedBank) -> None:
    capture(signed, 100)
    signed.seal()
    capture(signed, 100, "q")
    with pytest.raises(SigningError, match="died"):
        Sealer(signed.sessions, DyingSigner(signed.signer)).step(AT + SECOND)  # type: ignore[arg-type]  # a signer
    assert signed.logs()[CAPTURED].size == 101
    capture(signed, 100, "r")
    signed.seal(AT + 2 * SECOND)
    assert signed.logs()[CAPTURED].size == 201
    signed.seal(AT + 3 * SECOND)
    log = signed.logs()[CAPTURED]
    assert (log.size, log.root) == (301, root_of([leaf_hash(body) for body in bodies(signed, log.log_id)]))


def test_a_signer_whose_memory_is_behind_is_brought_up_by_proof(signed: SealedBank, tmp_path: Path) -> None:
    capture(signed, 100)
    signed.seal()
    behind = (tmp_path / "signer.state").read_bytes()
    capture(signed, 500, "q")
    signed.seal(AT + SECOND)
    (tmp_path / "signer.state").write_bytes(behind)
    capture(signed, 5, "r")
    signed.seal(AT + 2 * SECOND)
    assert signed.logs()[CAPTURED].size == 606
    assert signed.signer.tips([f"{ORIGIN}/{CAPTURED}"])[0].size == 606


def tamper(owner_url: str, *statements: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


def edit_entry(seq: int) -> str:
    return (
        "UPDATE entry SET body = overlay(body placing 'X' from octet_length(body) - 3) WHERE log_id = "
        f"{MINE} AND seq = {seq}"
    ).replace("'X'", "'\\x58'::bytea")


CHANGED = {
    "a signed entry edited": (edit_entry(5), "do not give the root"),
    "a new entry edited": (edit_entry(30), "entry 30"),
    "a new entry deleted": (f"DELETE FROM entry WHERE seq = 30 AND log_id = {MINE}", "entry 30 is missing"),
    "the tail cut": (f"UPDATE head SET size = 9 WHERE log_id = {MINE}", ""),
    "its root edited": (
        f"UPDATE checkpoint SET root = sha256('') WHERE log_id = {MINE}",
        "do not give the root",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_log_that_was_changed_is_not_sealed_and_the_others_are(
    signed: SealedBank, owner_url: str, case: str
) -> None:
    statement, why = CHANGED[case]
    capture(signed, 20)
    signed.seal()
    capture(signed, 20, "q")
    tamper(owner_url, statement)
    signed.bank.person("anna")
    before = signed.logs()
    sealer = Sealer(signed.sessions, signed.signer)
    if why:
        with pytest.raises(SealingError, match=f"{CAPTURED}: .*{why}"):
            sealer.step(AT + SECOND)
    else:
        sealer.step(AT + SECOND)
    after = signed.logs()
    assert after.get(CAPTURED) in {None, before[CAPTURED]}
    assert after["root/0"].size > before["root/0"].size


def test_a_database_that_was_set_back_is_told(signed: SealedBank, owner_url: str) -> None:
    capture(signed, 20)
    signed.seal()
    tamper(
        owner_url,
        f"DELETE FROM entry WHERE log_id = {MINE} AND seq > 9",
        f"DELETE FROM checkpoint WHERE log_id = {MINE}",
        f"UPDATE head SET size = 10 WHERE log_id = {MINE}",
    )
    with pytest.raises(SealingError, match="21 entries of it were signed, and the database holds 10"):
        Sealer(signed.sessions, signed.signer).step(AT + SECOND)


@pytest.mark.parametrize("role", ["capture", "relay", "web", "worker", "read"])
def test_no_process_can_change_what_was_signed(database_url: str, role: str) -> None:
    with connect(database_url, role) as connection:
        for table in ("checkpoint", "tile", "signing_key"):
            for statement in ("UPDATE {0} SET log_id = 1", "DELETE FROM {0}", "TRUNCATE {0}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.format(table))


def test_even_the_owner_meets_a_trigger(signed: SealedBank, owner_url: str) -> None:
    capture(signed, 300)
    signed.seal()
    for table in ("checkpoint", "tile", "signing_key"):
        with psycopg.connect(owner_url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"DELETE FROM {table}")


def test_the_tables_come_and_go_with_their_migration(bank: Bank, owner_url: str) -> None:
    bank.capture([event("p-1")])
    downgrade(owner_url, "0001")
    bank.capture([event("p-2")])
    upgrade(owner_url)
    with psycopg.connect(owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoint").fetchone() == (0,)
