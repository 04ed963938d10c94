"""Entries with their stored payloads, read in bulk by key: a prefix of a log never changes."""

from typing import Any, Final, NamedTuple

import psycopg


class SealedEntry(NamedTuple):
    """An entry's bytes and its payload as stored; None once retention has dropped it, or without one."""

    seq: int
    body: bytes
    ciphertext: bytes | None


_ENTRIES: Final = """
SELECT seq, body FROM entry
WHERE log_id = %(log_id)s AND seq > %(after)s AND seq < %(before)s ORDER BY seq LIMIT %(limit)s
"""
# By range, one scan of each partition: asked one by one, every entry would look into all partitions.
_PAYLOADS: Final = """
SELECT seq, ciphertext FROM payload WHERE log_id = %(log_id)s AND seq BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT seq, ciphertext FROM payload_held WHERE log_id = %(log_id)s AND seq BETWEEN %(first)s AND %(last)s
"""


def read(
    connection: psycopg.Connection[Any], log_id: int, after: int, before: int, limit: int
) -> list[SealedEntry]:
    """Return up to `limit` entries with a seq above `after` and below `before`, in order."""
    asked = {"log_id": log_id, "after": after, "before": before, "limit": limit}
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_ENTRIES, asked).fetchall()
        if not rows:
            return []
        within = {"log_id": log_id, "first": rows[0][0], "last": rows[-1][0]}
        stored = dict(cursor.execute(_PAYLOADS, within).fetchall())
        return [SealedEntry(seq, body, stored.get(seq)) for seq, body in rows]
