"""Entries with their stored payloads, read in bulk by key: a prefix of a log never changes."""

from typing import Any, Final, NamedTuple

import psycopg


class SealedEntry(NamedTuple):
    """An entry's bytes and its payload as stored; None once retention has dropped it, or without one."""

    seq: int
    body: bytes
    ciphertext: bytes | None


_READ: Final = """
SELECT e.seq, e.body, p.ciphertext
FROM (
    SELECT log_id, seq, body FROM entry
    WHERE log_id = %(log_id)s AND seq > %(after)s AND seq < %(before)s ORDER BY seq LIMIT %(limit)s
) e
LEFT JOIN LATERAL (
    SELECT ciphertext FROM payload WHERE payload.log_id = e.log_id AND payload.seq = e.seq
    UNION ALL
    SELECT ciphertext FROM payload_held WHERE payload_held.log_id = e.log_id AND payload_held.seq = e.seq
    LIMIT 1
) p ON true
ORDER BY e.seq
"""
_KEYS: Final = "SELECT key_id, wrapped FROM keys.data_key WHERE key_id = ANY(%b)"


def read(
    connection: psycopg.Connection[Any], log_id: int, after: int, before: int, limit: int
) -> list[SealedEntry]:
    """Return up to `limit` entries with a seq above `after` and below `before`, in order."""
    asked = {"log_id": log_id, "after": after, "before": before, "limit": limit}
    with connection.cursor(binary=True) as cursor:
        return [SealedEntry._make(row) for row in cursor.execute(_READ, asked).fetchall()]


def wrapped_keys(connection: psycopg.Connection[Any], key_ids: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return (id, wrapped key) of those payload keys that still exist."""
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(_KEYS, (key_ids,)).fetchall()
