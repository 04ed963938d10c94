"""What anchors gave for the root log's checkpoints, as verifiers and exports read it."""

from collections.abc import Iterator
from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected


class Cosigned(NamedTuple):
    """A witness's signature line: for which checkpoint, under which verifier key, and its entry's seq."""

    root_log_id: int
    size: int
    vkey: str
    line: str
    seq: int


class Stamp(NamedTuple):
    """An authority's answer about a signed checkpoint of the root log, and its hash in the entry."""

    root_log_id: int
    size: int
    note: str | None
    sha256: bytes
    answer: bytes | None


class Root(NamedTuple):
    """A checkpoint of the root log that was cosigned, and when it was signed, in microseconds."""

    size: int
    root: bytes
    note: str
    at: int


_ROOT = """
SELECT c.size, c.root, c.note, c.at FROM checkpoint c
WHERE c.log_id = %(log_id)s AND c.size <= %(most)s AND c.size IN (
    (SELECT max(a.size) FROM anchoring a WHERE a.kind = 'quorum' AND a.log_id = c.log_id),
    (SELECT max(s.size) FROM cosignature s WHERE s.root_log_id = c.log_id
        AND NOT EXISTS (SELECT FROM anchoring q WHERE q.kind = 'quorum'))
) ORDER BY c.size DESC LIMIT 1
"""
_LINES = """
SELECT DISTINCT ON (vkey) line FROM cosignature
WHERE root_log_id = %s AND size = %s ORDER BY vkey, log_id, seq
"""
_STAMPS = """
SELECT a.root_log_id, a.size, c.note, a.evidence, s.answer FROM anchor a
LEFT JOIN checkpoint c ON c.log_id = a.root_log_id AND c.size = a.size
LEFT JOIN time_stamp s ON s.sha256 = a.evidence
WHERE a.evidence IS NOT NULL
"""

_BEHIND = """
WITH root AS (SELECT log_id FROM log WHERE kind = 'root' ORDER BY incarnation DESC LIMIT 1),
kept AS (
    SELECT coalesce(max(a.size), 0) AS size FROM anchoring a JOIN root USING (log_id)
    WHERE a.kind <> 'witness' OR NOT EXISTS (SELECT FROM anchoring q WHERE q.kind = 'quorum')
)
SELECT c.at FROM checkpoint c JOIN root USING (log_id) CROSS JOIN kept
WHERE c.size > kept.size ORDER BY c.size LIMIT 1
"""


def newest_root_id(conn: Connected) -> int | None:
    """The log id of the newest root log."""
    row = conn.execute(
        "SELECT log_id FROM log WHERE kind = 'root' ORDER BY incarnation DESC LIMIT 1"
    ).fetchone()
    return int(row[0]) if row else None


def unanchored_since(conn: Connected) -> int | None:
    """The time of the first checkpoint of the root log that no anchor has, microseconds; None if one has all.

    Where witnesses have a quorum, it is the quorum that counts, not each witness.
    """
    row = conn.execute(_BEHIND).fetchone()
    return int(row[0]) if row else None


def cosigned_root(conn: Connected, log_id: int, most: int) -> Root | None:
    """A root log's newest checkpoint, up to a size, that enough witnesses cosigned; any, without a quorum."""
    row = conn.execute(_ROOT, {"log_id": log_id, "most": most}).fetchone()
    return Root(*row) if row else None


def lines(conn: Connected, log_id: int, size: int) -> list[str]:
    """The witnesses' signature lines on a root log's checkpoint, one of each, by their keys."""
    return [row[0] for row in conn.execute(_LINES, (log_id, size))]


def stamp(conn: Connected, log_id: int, most: int) -> Stamp | None:
    """The newest time stamp of a root log, of a checkpoint up to a size."""
    newest = f"{_STAMPS} AND a.root_log_id = %s AND a.size <= %s ORDER BY a.size DESC, a.seq LIMIT 1"
    row = conn.execute(newest, (log_id, most)).fetchone()
    return Stamp(*row) if row else None


def stamps(conn: Connected) -> Iterator[Stamp]:
    """Every time stamp."""
    for row in conn.execute(f"{_STAMPS} ORDER BY a.root_log_id, a.size"):
        yield Stamp(*row)


def cosignatures(conn: Connected) -> Iterator[tuple[Cosigned, str | None]]:
    """Every cosignature, with the checkpoint that it should be about; None if that is not kept."""
    rows = conn.execute(
        "SELECT s.root_log_id, s.size, s.vkey, s.line, s.seq, c.note FROM cosignature s "
        "LEFT JOIN checkpoint c ON c.log_id = s.root_log_id AND c.size = s.size ORDER BY s.log_id, s.seq"
    )
    for *found, note in rows:
        yield Cosigned(*found), note
