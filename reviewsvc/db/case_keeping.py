"""What was done about what is kept of a case: erasures, holds, dropped months, and what left with it."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run

_READ: Final = (
    "SELECT e.log_id, l.name AS log, e.seq, e.body, a.actor FROM ({places}) p "
    "JOIN entry e USING (log_id, seq) JOIN log l USING (log_id) JOIN activity a USING (log_id, seq) "
    "ORDER BY a.at, e.log_id, e.seq LIMIT 500"
)
# Who agreed or refused stands in no row of its own: it is looked for in the minute after it was noted.
_ERASURES: Final = """
SELECT log_id, seq FROM erased_key WHERE key_id = %(key_id)s
UNION SELECT log_id, seq FROM approval WHERE key_id = %(key_id)s AND act IN ('erase', 'export')
UNION SELECT s.log_id, s.seq FROM approval x JOIN activity s ON s.object = %(subject)s
    AND s.kind IN ('erasure_approved', 'erasure_refused', 'approval_granted', 'approval_refused')
    AND s.at >= (extract(epoch FROM x.settled_at) * 1000000)::bigint
    AND s.at < (extract(epoch FROM x.settled_at) * 1000000)::bigint + 60000000
WHERE x.key_id = %(key_id)s AND x.act IN ('erase', 'export')
"""
# Those that stood at some time since the case came: on its subject, its model, or itself.
_HOLDS: Final = """
WITH held AS (
    SELECT h.log_id, h.seq, r.log_id AS end_log, r.seq AS end_seq FROM hold h
    LEFT JOIN hold_released r USING (hold_id)
    LEFT JOIN activity ended ON (ended.log_id, ended.seq) = (r.log_id, r.seq)
    WHERE (h.key_id = %(key_id)s OR h.model_id = %(model_id)s OR h.id_hash = %(id_hash)s)
    AND (ended.at IS NULL OR ended.at >= %(at)s)
)
SELECT log_id, seq FROM held UNION SELECT end_log, end_seq FROM held WHERE end_log IS NOT NULL
"""
_DROPPED: Final = (
    "SELECT log_id, seq FROM dropped WHERE retention_class = %(retention_class)s "
    "AND since <= %(at)s AND until > %(at)s"
)
_LEFT: Final = (
    "SELECT log_id, seq FROM activity WHERE kind IN ('access', 'export', 'subject_export', 'erasure') "
    "AND kind IN ('export', 'subject_export') AND object = ANY(%(objects)s) AND at >= %(at)s"
)
_STORED: Final = (
    "SELECT EXISTS (SELECT FROM payload WHERE retention_class = %(retention_class)s AND at = %(at)s "
    "AND log_id = %(log_id)s AND seq = %(seq)s) "
    "OR EXISTS (SELECT FROM payload_held WHERE log_id = %(log_id)s AND seq = %(seq)s)"
)


class Marks(NamedTuple):
    """By what a case is found in what concerns more than one: its key and model, its row, its time."""

    key_id: bytes
    model: str
    row: sa.Row[Any]


def about(session: Session, marks: Marks) -> list[sa.Row[Any]]:
    """Return the entries, the oldest first: log_id, log, seq, body, actor.

    Bundles are those of its model or of several; whether the case is in one, their entries say.
    """
    asked = _asked(marks)
    queries = (_ERASURES, _HOLDS, _DROPPED, _LEFT)
    return [row for query in queries for row in run(session, _READ.format(places=query), asked)]


def is_stored(session: Session, marks: Marks) -> bool:
    """Say whether the payload of the case's prediction is still stored, held or not."""
    return bool(run(session, _STORED, _asked(marks)).scalar_one())


def _asked(marks: Marks) -> dict[str, Any]:
    row, subject = marks.row, f"subject:{marks.key_id.hex()}"
    bundles = [f"{what}:{model}" for what in ("bundle", "download") for model in ("*", marks.model)]
    return {
        "key_id": marks.key_id,
        "subject": subject,
        "model_id": row.model_id,
        "id_hash": bytes(row.id_hash),
        "retention_class": row.retention_class,
        "at": row.at,
        "log_id": row.log_id,
        "seq": row.seq,
        "objects": [subject, *bundles],
    }
