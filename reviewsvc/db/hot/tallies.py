"""Counts over all that is stored, for a terminal that shows what happens; not for tables of millions."""

from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected

_COUNTS = """
SELECT (SELECT count(*) FROM prediction), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM task),
    (SELECT count(*) FROM task WHERE status IN ('pending', 'disputed')),
    (SELECT count(*) FROM decision), (SELECT count(*) FROM decision WHERE retracted_seq IS NOT NULL),
    (SELECT count(*) FROM label)
"""
_SIZES = "SELECT log.kind, count(*), sum(head.size) FROM log JOIN head USING (log_id) GROUP BY 1 ORDER BY 1"


class Tally(NamedTuple):
    """How many there are of each; `queued` counts all tasks ever made, `undone` is part of `decided`."""

    captured: int
    quarantined: int
    queued: int
    waiting: int
    decided: int
    undone: int
    labels: int


class Size(NamedTuple):
    """The logs of one kind, and the entries in all of them together."""

    kind: str
    logs: int
    entries: int


def tally(conn: Connected) -> Tally:
    """Count predictions, tasks, decisions and label entries."""
    row = conn.execute(_COUNTS).fetchone()
    assert row is not None
    return Tally(*row)


def sizes(conn: Connected) -> list[Size]:
    """Add up the entries of the logs, by kind."""
    return [Size(kind, logs, int(entries)) for kind, logs, entries in conn.execute(_SIZES)]


def copies(conn: Connected) -> dict[bytes, int]:
    """Count the stored predictions of each keyed hash."""
    return dict(conn.execute("SELECT id_hash, count(*) FROM prediction GROUP BY 1").fetchall())
