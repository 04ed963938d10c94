"""How far activity was sent to each sink of a SIEM."""

from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected

_WAITING = """
SELECT l.log_id, l.name, coalesce(p.seq, 0), leaving_size(l.log_id)
FROM log l LEFT JOIN siem_place p ON p.log_id = l.log_id AND p.sink = %s
WHERE l.kind = 'activity' ORDER BY l.log_id
"""
_NOTE = """
INSERT INTO siem_place (sink, log_id, seq) VALUES (%s, %s, %s)
ON CONFLICT (sink, log_id) DO UPDATE SET seq = EXCLUDED.seq
"""


class Waiting(NamedTuple):
    """An activity log: the first seq that was not sent, and how many entries may leave."""

    log_id: int
    name: str
    seq: int
    size: int


def waiting(conn: Connected, sink: str) -> list[Waiting]:
    """Every activity log, by id."""
    return [Waiting(*row) for row in conn.execute(_WAITING, (sink,))]


def note(conn: Connected, sink: str, log_id: int, seq: int) -> None:
    """Note that all before a seq was sent."""
    conn.execute(_NOTE, (sink, log_id, seq))
