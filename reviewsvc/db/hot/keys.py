"""Wrapped keys: read by subject, day or id, and made before a batch in a transaction of their own."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected


class DataKey(NamedTuple):
    """A wrapped payload key: of a subject (by its keyed hash), of a log's day, or of one payload alone."""

    key_id: bytes
    wrapped: bytes
    kek_id: str
    subject: bytes | None = None
    log_id: int | None = None
    day: dt.date | None = None


_COLUMNS = "key_id, wrapped, kek_id, subject, log_id, day"


def of_subjects(conn: Connected, subjects: Sequence[bytes]) -> list[DataKey]:
    """The keys of those subjects that have one."""
    rows = conn.execute(f"SELECT {_COLUMNS} FROM keys.data_key WHERE subject = ANY(%s)", (list(subjects),))
    return [DataKey(*row) for row in rows]


def of_days(conn: Connected, log_ids: Sequence[int], days: Sequence[dt.date]) -> list[DataKey]:
    """The day keys of those logs on those days."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM keys.data_key WHERE log_id = ANY(%s) AND day = ANY(%s)",
        (list(log_ids), list(days)),
    )
    return [DataKey(*row) for row in rows]


def by_id(conn: Connected, key_ids: Iterable[bytes]) -> list[DataKey]:
    """The keys with these ids; one that was destroyed is absent."""
    rows = conn.execute(f"SELECT {_COLUMNS} FROM keys.data_key WHERE key_id = ANY(%s)", (list(key_ids),))
    return [DataKey(*row) for row in rows]


def generation(conn: Connected) -> int:
    """What every erasure moves on as it ends a key."""
    row = conn.execute("SELECT value FROM generation").fetchone()
    assert row is not None
    return int(row[0])


def wrapped(conn: Connected, key_ids: Iterable[str]) -> dict[str, bytes]:
    """The wrapped keys with these ids, in hex, by id; one that was destroyed is absent."""
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_WRAPPED, ([bytes.fromhex(key_id) for key_id in key_ids],))
        return {key_id.hex(): key for key_id, key in cursor.fetchall()}


_WRAPPED = "SELECT key_id, wrapped FROM keys.data_key WHERE key_id = ANY(%b)"
_ADD = (
    f"INSERT INTO keys.data_key ({_COLUMNS}) "
    "SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::text[], %b::bytea[], %b::int[], %b::date[]) "
    "ON CONFLICT DO NOTHING RETURNING key_id"
)


def add(conn: Connected, made: Iterable[DataKey]) -> frozenset[bytes]:
    """Keep new keys and return the ids of those kept; for the others another process was first: read them.

    Sorted, so that two processes that make the same keys at once wait instead of deadlocking.
    """
    rows = sorted(made, key=lambda key: (key.subject or b"", key.log_id or 0, str(key.day or ""), key.key_id))
    with conn.transaction():
        conn.execute("SET LOCAL synchronous_commit = off")
        kept = conn.execute(_ADD, [list(column) for column in zip(*rows, strict=True)], binary=True)
        return frozenset(bytes(row[0]) for row in kept)


def hash_keys(conn: Connected) -> dict[str, bytes]:
    """The wrapped keys of keyed hashes, by purpose."""
    return dict(conn.execute("SELECT purpose, wrapped FROM keys.hash_key").fetchall())
