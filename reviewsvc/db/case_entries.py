"""Everything that was written about one case, wherever it stands."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run

_CASE: Final = (
    "SELECT p.*, m.name AS model, v.version, q.name AS queue, l.name AS log, t.task_id, t.status, "
    "tq.name AS task_queue FROM prediction p JOIN model m USING (model_id) "
    "JOIN model_version v USING (version_id) JOIN log l ON l.log_id = p.log_id "
    "LEFT JOIN queue q ON q.queue_id = p.queue_id LEFT JOIN task t ON t.id_hash = p.id_hash "
    "LEFT JOIN queue tq ON tq.queue_id = t.queue_id WHERE p.log_id = %(log_id)s AND p.seq = %(seq)s"
)
_ACTS: Final = (
    "SELECT e.log_id, l.name AS log, e.seq, e.body, a.actor FROM activity a JOIN entry e USING (log_id, seq) "
    "JOIN log l USING (log_id) WHERE a.task_id = %(task_id)s ORDER BY a.at, a.log_id, a.seq LIMIT %(most)s"
)
# Payloads that were opened without a task name their prediction in the entry's ref alone.
_LOOKS: Final = """
SELECT log_id, log, seq, body, actor FROM (
    SELECT e.log_id, l.name AS log, e.seq, e.body, a.actor, a.at FROM activity a
    JOIN entry e USING (log_id, seq) JOIN log l USING (log_id)
    WHERE a.kind IN ('access', 'export', 'subject_export', 'erasure') AND a.kind = 'access'
    AND a.task_id IS NULL AND a.at >= %(at)s ORDER BY a.at LIMIT %(most)s
) looks WHERE convert_from(body, 'UTF8')::json #>> '{ref,log}' = %(log)s
AND convert_from(body, 'UTF8')::json #>> '{ref,seq}' = %(seq)s::bigint::text ORDER BY at, log_id, seq
"""
_LABELS: Final = (
    "SELECT e.log_id, g.name AS log, e.seq, e.body, 'person:' || d.reviewer_id AS actor FROM label l "
    "JOIN entry e USING (log_id, seq) JOIN log g USING (log_id) LEFT JOIN decision d "
    "ON d.log_id = l.decision_log_id AND d.seq = l.decision_seq WHERE l.id_hash = %(id_hash)s "
    "ORDER BY l.at, l.log_id, l.seq LIMIT %(most)s"
)
_PULLS: Final = (
    "SELECT e.log_id, l.name AS log, e.seq, e.body, a.actor FROM activity a JOIN entry e USING (log_id, seq) "
    "JOIN log l USING (log_id) WHERE a.kind IN ('access', 'export', 'subject_export', 'erasure') AND "
    "a.kind = 'export' "
    "AND a.object = %(object)s AND a.at >= %(at)s ORDER BY a.at LIMIT %(most)s"
)
_RELAYED: Final = (
    "SELECT topic, seq, noted_at FROM relay_place WHERE log_id = %(log_id)s AND seq >= %(seq)s ORDER BY topic"
)
_TERMS: Final = (
    "SELECT d.kind, d.name, d.version, d.body, d.log_id, l.name AS log, d.seq, d.applied_at FROM document d "
    "JOIN log l USING (log_id) WHERE d.kind = 'policy' AND d.name = %(model)s AND d.version = %(version)s"
)
_SAME: Final = (
    "SELECT log_id, seq FROM prediction WHERE find = %(find)s AND id_hash = %(id_hash)s "
    "ORDER BY at, log_id, seq LIMIT 1"
)


def case(session: Session, log_id: int, seq: int) -> sa.Row[Any] | None:
    """Return a prediction with its model, its queue and the task that it led to; None if there is none."""
    return run(session, _CASE, {"log_id": log_id, "seq": seq}).first()


def first_sent(session: Session, row: sa.Row[Any]) -> sa.Row[Any]:
    """Return where a prediction was sent first: log_id, seq."""
    return run(session, _SAME, {"find": row.find, "id_hash": row.id_hash}).one()


def acts(session: Session, row: sa.Row[Any], most: int) -> list[sa.Row[Any]]:
    """Return what was done with a case and who opened it, the oldest first: log_id, log, seq, body, actor."""
    found = list(run(session, _ACTS, {"task_id": row.task_id, "most": most})) if row.task_id else []
    found += run(session, _LOOKS, {"at": row.at, "log": row.log, "seq": row.seq, "most": most})
    return found


def labels(session: Session, id_hash: bytes, most: int) -> list[sa.Row[Any]]:
    """Return the labels of a prediction and their withdrawals, the oldest first."""
    return list(run(session, _LABELS, {"id_hash": id_hash, "most": most}))


def pulls(session: Session, model: str, at_us: int, most: int) -> list[sa.Row[Any]]:
    """Return who pulled a model's labels since a moment, the oldest first."""
    return list(run(session, _PULLS, {"object": f"labels:{model}", "at": at_us, "most": most}))


def relayed(session: Session, log_id: int, seq: int) -> list[sa.Row[Any]]:
    """Return the topics to which an entry of a log has gone: topic, seq, noted_at."""
    return list(run(session, _RELAYED, {"log_id": log_id, "seq": seq}))


def policy(session: Session, model: str, version: int | None) -> sa.Row[Any] | None:
    """Return a version of a model's policy, and where its entry stands."""
    return run(session, _TERMS, {"model": model, "version": version}).first()
