"""A log has one writer: who claims its head fences who had it, even one that hangs in its transaction."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from reviewsvc.db.hot import batches, heads
from reviewsvc.db.hot.batches import FencedError, LogRows
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.hot.heads import Head, HeadError, Opening

pytestmark = pytest.mark.real

SOON_MS = 200
Connect = Callable[[], Connected]


@pytest.fixture
def another(database_url: str) -> Iterator[Connect]:
    """Connects as capture does, as often as it is asked."""
    made: list[Connected] = []

    def one() -> Connected:
        made.append(connect(database_url, "capture"))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def head(another: Connect) -> Head:
    conn = another()
    heads.open_log(conn, "test.example", Opening("topic", 0, "topic-id", 0), 1)
    return heads.known(conn, "topic", [0])[0]


def copy_without_end(conn: Connected, log_id: int) -> Any:
    """Lock the head and begin to copy entries, as a batch does; the client then says nothing more."""
    conn.execute("BEGIN")
    conn.execute("SELECT 1 FROM head WHERE log_id = %s FOR UPDATE", (log_id,))
    copy = conn.cursor().copy("COPY entry (log_id, seq, body) FROM STDIN (FORMAT BINARY)")
    copy.__enter__()
    return copy


def is_cut_off(conn: Connected) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def test_a_claim_raises_the_epoch_and_fences_who_claimed_before(another: Connect, head: Head) -> None:
    first, second = another(), another()
    held = heads.claim(first, head.log_id, "first")
    assert heads.claim(second, head.log_id, "second").epoch == held.epoch + 1
    with pytest.raises(FencedError):
        batches.write(first, 1, [LogRows(held, held._replace(next_offset=7))])
    assert heads.known(first, "topic", [0])[0].next_offset == 0


def test_a_holder_that_hangs_in_a_copy_is_ended(another: Connect, head: Head) -> None:
    frozen = another()
    copy = copy_without_end(frozen, head.log_id)
    claimed = heads.claim(another(), head.log_id, "second", patience_ms=SOON_MS)
    assert claimed.epoch == head.epoch + 1
    with pytest.raises(psycopg.OperationalError):
        copy.__exit__(None, None, None)


def test_a_holder_that_hangs_in_its_claim_is_ended(another: Connect, head: Head) -> None:
    frozen, conn = another(), another()
    frozen.execute("BEGIN")
    frozen.execute("UPDATE head SET epoch = epoch + 1 WHERE log_id = %s", (head.log_id,))
    claimed = heads.claim(conn, head.log_id, "second", patience_ms=SOON_MS)
    assert claimed.epoch == head.epoch + 1
    assert is_cut_off(frozen)
    assert conn.execute("SELECT current_user").fetchone() == ("reviewsvc_capture",)


def test_a_broken_connections_own_transaction_is_ended_when_its_owner_comes_back(
    another: Connect, head: Head
) -> None:
    held = heads.claim(another(), head.log_id, "first")
    left_behind = another()
    copy = copy_without_end(left_behind, head.log_id)
    again = heads.reclaim(another(), held, "first", patience_ms=SOON_MS)
    assert again == held._replace(epoch=held.epoch + 1)
    with pytest.raises(psycopg.OperationalError):
        copy.__exit__(None, None, None)


def test_what_another_claimed_is_not_claimed_back(another: Connect, head: Head) -> None:
    held = heads.claim(another(), head.log_id, "first")
    second = heads.claim(another(), head.log_id, "second")
    assert heads.reclaim(another(), held, "first") is None
    assert heads.known(another(), "topic", [0])[0] == second


def test_a_frozen_log_is_nobodys(another: Connect, head: Head, owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE head SET frozen = true WHERE log_id = %s", (head.log_id,))
    with pytest.raises(HeadError, match="restore adopt"):
        heads.claim(another(), head.log_id, "first")
