"""Streams a log as it is stored, for verification; each read is a short transaction of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from psycopg.pq import TransactionStatus

from reviewsvc.db.hot.connection import Connected


class LogHead(NamedTuple):
    """A log as its head describes it; `has_head` is False if it has none, its numbers are then zero.

    `sealed` is the size of its largest signed checkpoint, 0 if there is none.
    """

    log_id: int
    name: str
    kind: str
    model: str | None
    size: int
    last_hash: bytes
    last_at: int
    next_offset: int | None
    topic_id: str | None
    has_head: bool
    sealed: int = 0


def logs(conn: Connected) -> list[LogHead]:
    """Every log with its head, by name, as of one moment."""
    rows = conn.execute(
        "SELECT l.log_id, l.name, l.kind, l.model, coalesce(h.size, 0), coalesce(h.last_hash, ''), "
        "coalesce(h.last_at, 0), h.next_offset, h.topic_id, h.log_id IS NOT NULL, "
        "coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = l.log_id), 0) "
        "FROM log l LEFT JOIN head h USING (log_id) ORDER BY l.name"
    )
    return [LogHead(*row) for row in rows]


def continuations(conn: Connected) -> list[tuple[str, bytes]]:
    """The first entry of every log that goes on after a restore, with the log's name, by name."""
    return conn.execute(
        "SELECT l.name, e.body FROM log l JOIN entry e ON e.log_id = l.log_id AND e.seq = 0 "
        "WHERE l.incarnation > 0 ORDER BY l.name"
    ).fetchall()


def size_now(conn: Connected, log_id: int) -> int:
    """How many entries a log's head counts at this moment."""
    row = conn.execute("SELECT size FROM head WHERE log_id = %s", (log_id,)).fetchone()
    return int(row[0]) if row else 0


def next_seq(conn: Connected, log_id: int, seq: int) -> int | None:
    """The smallest stored seq from this one on; None if there is none."""
    row = conn.execute("SELECT min(seq) FROM entry WHERE log_id = %s AND seq >= %s", (log_id, seq)).fetchone()
    return row[0] if row else None


def last_seq(conn: Connected, log_id: int) -> int:
    """The largest seq that is stored for a log; -1 if nothing is."""
    row = conn.execute("SELECT max(seq) FROM entry WHERE log_id = %s", (log_id,)).fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


def origin(conn: Connected) -> str | None:
    """The installation's origin; None before its first start."""
    row = conn.execute("SELECT origin FROM installation").fetchone()
    return None if row is None else str(row[0])


def installed(conn: Connected) -> str:
    """Which installation it is: the origin, and the moment of its first start; empty before that."""
    row = conn.execute("SELECT origin, opened_at AT TIME ZONE 'UTC' FROM installation").fetchone()
    return "" if row is None else f"{row[0]}, opened {row[1]:%Y-%m-%dT%H:%M:%S.%fZ}"


def entries(conn: Connected, log_id: int, seqs: range) -> list[tuple[int, bytes]]:
    """The entries with a seq in `seqs`, as (seq, bytes), in order of seq.

    A range without LIMIT reads no more than that, whatever plan missing statistics suggest; binary rows cost
    half of what COPY does here.
    """
    with conn.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT seq, body FROM entry WHERE log_id = %s AND seq >= %s AND seq < %s ORDER BY seq",
            (log_id, seqs.start, seqs.stop),
        )
        return cursor.fetchall()


def rows(
    conn: Connected, table: str, columns: Sequence[str], *, log_id: int, seqs: range
) -> list[tuple[Any, ...]]:
    """A projection's rows of one log within a range of seqs, in order of seq."""
    with conn.cursor(binary=True) as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {table} "
            "WHERE log_id = %s AND seq >= %s AND seq < %s ORDER BY seq",
            (log_id, seqs.start, seqs.stop),
        )
        return cursor.fetchall()


def keys_kept(conn: Connected, key_ids: Sequence[str]) -> dict[str, bool]:
    """Which of these payload keys (ids in hex) still exist, and whether each is a subject's."""
    found = conn.execute(
        "SELECT encode(key_id, 'hex'), subject IS NOT NULL FROM keys.data_key WHERE key_id = ANY(%s)",
        ([bytes.fromhex(key_id) for key_id in key_ids],),
    )
    return dict(found.fetchall())


def keys_erased(conn: Connected, key_ids: Sequence[str]) -> set[str]:
    """Which of these keys (ids in hex) an erasure destroyed."""
    found = conn.execute(
        "SELECT encode(key_id, 'hex') FROM erased_key WHERE key_id = ANY(%s)",
        ([bytes.fromhex(key_id) for key_id in key_ids],),
    )
    return {row[0] for row in found}


class Dropped(NamedTuple):
    """A month of a retention class that is no longer kept; times are microseconds."""

    parent: str
    retention_class: int
    since: int
    until: int


def dropped(conn: Connected) -> list[Dropped]:
    """The months that retention dropped."""
    found = conn.execute("SELECT parent, retention_class, since, until FROM dropped")
    return [Dropped(*row) for row in found]


def payload_tables(conn: Connected) -> tuple[str, ...]:
    """The tables that hold payloads now: those under legal hold have one of their own."""
    row = conn.execute("SELECT EXISTS (SELECT FROM payload_held)").fetchone()
    return ("payload", "payload_held") if row and row[0] else ("payload",)


@contextmanager
def at_one_moment(conn: Connected) -> Iterator[None]:
    """Let what is read in a block be of one moment, and keep partitions from being dropped meanwhile.

    Inside a transaction of the caller's that is the caller's business.
    """
    if conn.info.transaction_status is TransactionStatus.INTRANS:
        yield
        return
    # One round trip, since another thread reads ahead on this connection; the lock comes before the snapshot.
    conn.execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE payload, prediction IN ACCESS SHARE MODE"
    )
    try:
        yield
    finally:
        conn.execute("COMMIT")


def with_segment(conn: Connected, log_id: int, seqs: Sequence[int]) -> list[int]:
    """Which of these predictions' rows hold a segment."""
    found = conn.execute(
        "SELECT seq FROM prediction WHERE log_id = %s AND seq = ANY(%s) AND segment IS NOT NULL",
        (log_id, list(seqs)),
    )
    return [row[0] for row in found]


def numbers(conn: Connected, table: str, id_column: str) -> dict[str, int]:
    """Names to numbers of a small table (`model`, `queue`)."""
    return dict(conn.execute(f"SELECT name, {id_column} FROM {table}").fetchall())


def contracts(conn: Connected) -> list[tuple[str, int, bytes]]:
    """Every version of every contract: name, version, stored form."""
    return conn.execute("SELECT name, version, body FROM document WHERE kind = 'contract'").fetchall()


class Kept(NamedTuple):
    """A retention class: for how many days payloads are kept, and rows; None is for good."""

    name: str
    keep_days: int
    prediction_days: int | None


def retention_classes(conn: Connected) -> list[Kept]:
    """Every retention class."""
    found = conn.execute("SELECT name, keep_days, prediction_days FROM retention_class")
    return [Kept(*row) for row in found]


def models_kept(conn: Connected) -> list[tuple[str, int, str]]:
    """Every model with the version of its contract, and the retention class that what comes is kept as."""
    return conn.execute(
        "SELECT m.name, contract_version, c.name FROM model m JOIN retention_class c USING (retention_class)"
    ).fetchall()
