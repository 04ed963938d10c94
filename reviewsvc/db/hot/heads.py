"""Heads of logs: made, claimed and read by the only writer of a captured partition."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Raw
from psycopg import errors
from psycopg.rows import class_row

from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts
from reviewsvc.domain.entries import ZERO_HASH, Entry, encode, encode_facts, leaf_hash


class HeadError(RuntimeError):
    """A head is held by somebody who does not answer, or is frozen; the text says which."""


class Head(NamedTuple):
    """Where a log ends; `size` is the seq of the entry that comes next, `last_at` is in microseconds."""

    log_id: int
    name: str
    epoch: int
    size: int
    last_hash: bytes
    last_at: int
    next_offset: int
    topic_id: str


class Opening(NamedTuple):
    """A partition met for the first time: its log is to start at this offset."""

    topic: str
    partition: int
    topic_id: str
    first_offset: int


_COLUMNS = (
    "h.log_id, l.name, h.epoch, h.size, h.last_hash, h.last_at, "
    "coalesce(h.next_offset, 0) AS next_offset, coalesce(h.topic_id, '') AS topic_id"
)


def series(topic: str, partition: int) -> str:
    """The name of a partition's log without its incarnation."""
    return f"predictions/{topic}/{partition}"


def known(conn: Connected, topic: str, partitions: Iterable[int]) -> dict[int, Head]:
    """The newest heads of a topic's partitions, as they stand; partitions without a log are absent."""
    heads = {}
    with conn.cursor(row_factory=class_row(Head)) as cursor:
        for partition in partitions:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM log l JOIN head h USING (log_id) "
                "WHERE l.series = %s ORDER BY l.incarnation DESC LIMIT 1",
                (series(topic, partition),),
            )
            if head := cursor.fetchone():
                heads[partition] = head
    return heads


def open_log(conn: Connected, origin: str, opening: Opening, clock: int) -> None:
    """Make a partition's log with its `opened` entry; where it exists already, nothing happens."""
    with conn.transaction():
        made = conn.execute(
            "INSERT INTO log (series, incarnation, kind, topic, partition) "
            "VALUES (%s, 0, 'predictions', %s, %s) "
            "ON CONFLICT (series, incarnation) DO NOTHING RETURNING log_id, name",
            (series(opening.topic, opening.partition), opening.topic, opening.partition),
        ).fetchone()
        if made is None:
            return
        log_id, name = made
        said = facts.Opened("first seen", opening.topic_id, opening.first_offset)
        body = encode(
            Entry(1, f"{origin}/{name}", 0, ZERO_HASH.hex(), clock, "opened", facts=Raw(encode_facts(said)))
        )
        conn.execute(
            "INSERT INTO head (log_id, size, last_hash, last_at, next_offset, topic_id) "
            "VALUES (%s, 1, %s, %s, %s, %s)",
            (log_id, leaf_hash(body), clock, opening.first_offset, opening.topic_id),
        )
        conn.execute("INSERT INTO entry (log_id, seq, body) VALUES (%s, 0, %s)", (log_id, body))


def begin(conn: Connected, log_id: int, topic_id: str, first_offset: int) -> None:
    """Say from where a partition is read whose log was lost with all that told it."""
    conn.execute(
        "UPDATE head SET topic_id = %s, next_offset = %s WHERE log_id = %s AND topic_id IS NULL",
        (topic_id, first_offset, log_id),
    )


def claim(conn: Connected, log_id: int, owner: str, *, patience_ms: int = 5_000) -> Head:
    """Become the writer of a log: whoever wrote it before is fenced by the new epoch.

    A holder that hangs in its transaction is ended after `patience_ms`: no time-out of the server does that
    while it waits for its client in the middle of a COPY. HeadError if the log is frozen.
    """
    head = _patiently(conn, _Claim(log_id, owner, None), patience_ms)
    if head is None:
        raise HeadError(f"log {log_id} is frozen: it was restored; run `reviewsvc restore adopt`")
    return head


def reclaim(conn: Connected, head: Head, owner: str, *, patience_ms: int = 5_000) -> Head | None:
    """Claim again a log that is still ours, as `claim` does; None if another has claimed it since."""
    return _patiently(conn, _Claim(head.log_id, owner, head.epoch), patience_ms)


class _Claim(NamedTuple):
    log_id: int
    owner: str
    epoch: int | None


def _patiently(conn: Connected, claim: _Claim, patience_ms: int) -> Head | None:
    try:
        return _claim_once(conn, claim, patience_ms)
    except errors.LockNotAvailable:
        _end_holder(conn, claim.log_id)
        return _claim_once(conn, claim, patience_ms)


def _claim_once(conn: Connected, claim: _Claim, patience_ms: int) -> Head | None:
    with conn.transaction(), conn.cursor(row_factory=class_row(Head)) as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {patience_ms:d}")
        cursor.execute(
            "UPDATE head h SET epoch = h.epoch + 1, owner = %(owner)s, owner_pid = pg_backend_pid(), "
            "owner_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) "
            "FROM log l WHERE l.log_id = h.log_id AND h.log_id = %(log_id)s AND NOT h.frozen "
            f"AND h.epoch = coalesce(%(epoch)s, h.epoch) RETURNING {_COLUMNS}",
            claim._asdict(),
        )
        return cursor.fetchone()


def _end_holder(conn: Connected, log_id: int) -> None:
    """End the backend whose transaction holds a head's row: the row's xmax names that transaction."""
    query = "SELECT xmax::text, current_user FROM head WHERE log_id = %s"
    found = conn.execute(query, (log_id,)).fetchone()
    if found is None:
        return
    holder, role = found
    # Only a backend of the same log-in may be ended, so the group's role is laid aside for one statement.
    with conn.transaction():
        conn.execute("RESET ROLE")
        conn.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_locks WHERE locktype = 'transactionid' "
            "AND transactionid = %s::xid AND mode = 'ExclusiveLock' AND granted",
            (holder,),
        )
        conn.execute("SELECT set_config('role', %s, false)", (role,))


def locked(conn: Connected, log_ids: Iterable[int]) -> Mapping[int, Head]:
    """The heads, locked in the order of their ids until the transaction ends."""
    with conn.cursor(row_factory=class_row(Head)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM head h JOIN log l USING (log_id) WHERE h.log_id = ANY(%s) "
            "ORDER BY h.log_id FOR UPDATE OF h",
            (sorted(log_ids),),
        )
        return {head.log_id: head for head in cursor}
