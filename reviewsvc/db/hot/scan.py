"""Streams a log as it is stored, for verification; each read is a short transaction of its own."""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from reviewsvc.db.hot.connection import Connected

_HEADER_BYTES = 19
_ROW = Struct(">hiqi")
_TRAILER_BYTES = 2


class LogHead(NamedTuple):
    """A log as its head describes it."""

    log_id: int
    name: str
    kind: str
    size: int
    last_hash: bytes
    last_at: int


def logs(conn: Connected) -> list[LogHead]:
    """Every log with its head, by name."""
    rows = conn.execute(
        "SELECT l.log_id, l.name, l.kind, h.size, h.last_hash, h.last_at "
        "FROM log l JOIN head h USING (log_id) ORDER BY l.name"
    )
    return [LogHead(*row) for row in rows]


def origin(conn: Connected) -> str | None:
    """The installation's origin; None before its first start."""
    row = conn.execute("SELECT origin FROM installation").fetchone()
    return None if row is None else str(row[0])


def entries(conn: Connected, log_id: int, from_seq: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """At most `limit` entries from `from_seq` on, as (seq, bytes), in order of seq."""
    query = (
        f"COPY (SELECT seq, body FROM entry WHERE log_id = {log_id:d} AND seq >= {from_seq:d} "
        f"ORDER BY seq LIMIT {limit:d}) TO STDOUT (FORMAT BINARY)"
    )
    start = _ROW.size
    unpack = _ROW.unpack_from
    with conn.cursor() as cursor, cursor.copy(query) as copy:
        skip = _HEADER_BYTES
        while data := copy.read():
            if len(data) - skip > _TRAILER_BYTES:
                yield unpack(data, skip)[2], bytes(data[skip + start :])
            skip = 0


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


def keys_kept(conn: Connected, key_ids: Sequence[bytes]) -> dict[bytes, bool]:
    """Which of these payload keys still exist, and whether each is a subject's."""
    found = conn.execute(
        "SELECT key_id, subject IS NOT NULL FROM keys.data_key WHERE key_id = ANY(%s)", (list(key_ids),)
    )
    return dict(found.fetchall())


def numbers(conn: Connected, table: str, id_column: str) -> dict[str, int]:
    """Names to numbers of a small table (`model`, `queue`)."""
    return dict(conn.execute(f"SELECT name, {id_column} FROM {table}").fetchall())
