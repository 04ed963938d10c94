"""How long each log is, how far it is sealed and since when, and when its entries were written."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run

_LOGS: Final = """
SELECT l.log_id, l.name, l.kind, h.frozen, h.size, h.last_at, c.size AS sealed, c.at AS sealed_at,
    a.size AS anchored, a.at AS anchored_seal_at
FROM log l JOIN head h USING (log_id)
LEFT JOIN LATERAL (
    SELECT size, at FROM checkpoint WHERE log_id = l.log_id ORDER BY size DESC LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT size, at FROM checkpoint WHERE log_id = l.log_id
    AND (root_seq < %(anchored)s OR (root_seq IS NULL AND size <= %(anchored)s)) ORDER BY size DESC LIMIT 1
) a ON true
ORDER BY l.kind <> 'root', l.name
"""
_BODIES: Final = (
    "SELECT e.log_id, e.seq, e.body FROM unnest(%(logs)s::int[], %(seqs)s::bigint[]) AS p(log_id, seq) "
    "JOIN entry e USING (log_id, seq) ORDER BY 1, 2"
)
_LAST: Final = (
    "SELECT a.log_id, l.name AS log, a.seq, a.at, e.body FROM activity a JOIN entry e USING (log_id, seq) "
    "JOIN log l USING (log_id) WHERE a.kind = %(kind)s ORDER BY a.at DESC LIMIT 1"
)


def logs(session: Session, anchored: int) -> list[sa.Row[Any]]:
    """Return every log, the root first; `anchored` is how far an anchor has the root log."""
    return list(run(session, _LOGS, {"anchored": anchored}))


def bodies(session: Session, places: Sequence[tuple[int, int]]) -> list[sa.Row[Any]]:
    """Return the entries at these places (log_id, seq), in order: log_id, seq, body."""
    columns = list(zip(*places, strict=True)) or [(), ()]
    return list(run(session, _BODIES, {"logs": list(columns[0]), "seqs": list(columns[1])}))


def last_of_kind(session: Session, kind: str) -> sa.Row[Any] | None:
    """Return the newest entry of a kind that stands in an activity log."""
    return run(session, _LAST, {"kind": kind}).first()
