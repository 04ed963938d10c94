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
CROSS JOIN (SELECT min(log_id) AS first, max(log_id) AS newest FROM log WHERE kind = 'root') roots
LEFT JOIN LATERAL (
    SELECT size, at FROM checkpoint WHERE log_id = l.log_id ORDER BY size DESC LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT size, at FROM checkpoint WHERE log_id = l.log_id
    AND ((root_seq < %(anchored)s AND coalesce(root_log_id, roots.first) = roots.newest)
        OR (root_seq IS NULL AND log_id = roots.newest AND size <= %(anchored)s))
    ORDER BY size DESC LIMIT 1
) a ON true
ORDER BY l.kind <> 'root', l.name
"""
_BODIES: Final = (
    "SELECT e.log_id, e.seq, e.body FROM unnest(%(logs)s::int[], %(seqs)s::bigint[]) AS p(log_id, seq) "
    "JOIN entry e USING (log_id, seq) ORDER BY 1, 2"
)
_VERIFICATIONS: Final = """
SELECT e.body FROM activity a JOIN entry e USING (log_id, seq)
WHERE a.log_id = %(log_id)s AND a.kind = 'verification' ORDER BY a.seq DESC LIMIT %(limit)s
"""


def logs(session: Session, anchored: int) -> list[sa.Row[Any]]:
    """Return every log, the root first; `anchored` is how far an anchor has the root log."""
    return list(run(session, _LOGS, {"anchored": anchored}))


def bodies(session: Session, places: Sequence[tuple[int, int]]) -> list[sa.Row[Any]]:
    """Return the entries at these places (log_id, seq), in order: log_id, seq, body."""
    columns = list(zip(*places, strict=True)) or [(), ()]
    return list(run(session, _BODIES, {"logs": list(columns[0]), "seqs": list(columns[1])}))


def verifications(session: Session, log_id: int, limit: int) -> list[bytes]:
    """Return the last entries that say how a verification ended, the newest first."""
    return [bytes(row.body) for row in run(session, _VERIFICATIONS, {"log_id": log_id, "limit": limit})]
