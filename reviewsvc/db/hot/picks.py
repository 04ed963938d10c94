"""Which entries of a log are about a model, a subject, a reviewer, a queue or a case."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reviewsvc.db.hot.connection import Connected

# A log is asked in windows, so that no transaction is long.
WINDOW: Final = 200_000

_MODEL: Final = "model_id = (SELECT model_id FROM model WHERE name = %(model)s)"
# The cases that a question is about, by the keyed hashes of their predictions.
_CASES: Final[Mapping[str, str]] = {
    "model": f"SELECT id_hash FROM task WHERE {_MODEL}",
    "subject": "SELECT id_hash FROM prediction WHERE subject = %(subject)s",
    "reviewer": (
        "SELECT id_hash FROM task WHERE task_id IN "
        "(SELECT task_id FROM decision WHERE reviewer_id = %(reviewer)s::uuid)"
    ),
    "queue": (
        "SELECT id_hash FROM task WHERE queue_id = (SELECT queue_id FROM queue WHERE name = %(queue)s)"
    ),
    "case": "SELECT unnest(%(ids)s::bytea[])",
}
_PREDICTIONS: Final[Mapping[str, str]] = {
    "model": _MODEL,
    "subject": "subject = %(subject)s",
    "reviewer": f"id_hash IN ({_CASES['reviewer']})",
    "queue": f"id_hash IN ({_CASES['queue']})",
    "case": "find = %(find)s AND id_hash = ANY(%(ids)s)",
}
_ACTS: Final[Mapping[str, str]] = {
    "model": "OR object = ANY(ARRAY['labels:' || %(model)s, 'bundle:' || %(model)s])",
    "reviewer": "OR actor = ANY(ARRAY['person:' || %(reviewer)s, 'token:' || %(reviewer)s])",
}
_TERM: Final = "model_id, contract_version, policy_version"
# Under which versions of contract and policy the cases stood.
_TERMS: Final[Mapping[str, str]] = {
    "model": f"SELECT DISTINCT {_TERM} FROM prediction WHERE {_MODEL}",
    "subject": f"SELECT {_TERM} FROM prediction WHERE {_PREDICTIONS['subject']}",
    "case": f"SELECT {_TERM} FROM prediction WHERE {_PREDICTIONS['case']}",
    "reviewer": f"SELECT {_TERM} FROM task WHERE id_hash IN ({_CASES['reviewer']})",
    "queue": f"SELECT {_TERM} FROM task WHERE id_hash IN ({_CASES['queue']})",
}
_WINDOW: Final = "log_id = %(log_id)s AND seq >= %(first)s AND seq < %(behind)s"
_TIME: Final = "at >= %(since)s AND at < %(until)s"
# Opened without a task: only looked for where the predictions are few.
_LOOKED_AT: Final = frozenset({"subject", "case"})
_LOOKS: Final = """
UNION SELECT a.seq FROM activity a JOIN entry e USING (log_id, seq)
WHERE a.log_id = %(log_id)s AND a.seq >= %(first)s AND a.seq < %(behind)s
AND a.kind = 'access' AND a.task_id IS NULL
AND (convert_from(e.body, 'UTF8')::json #>> '{{ref,log}}',
    (convert_from(e.body, 'UTF8')::json #>> '{{ref,seq}}')::bigint)
IN (SELECT l.name, p.seq FROM prediction p JOIN log l USING (log_id) WHERE {predictions})
"""
# What became of what is kept of these cases: their key is in their entries, where an erasure leaves it.
_KEPT: Final = """
UNION SELECT k.seq FROM (
    WITH cases AS MATERIALIZED (
        SELECT p.model_id, p.id_hash, p.retention_class, p.at,
            decode(convert_from(e.body, 'UTF8')::json #>> '{{payload,key}}', 'hex') AS key_id
        FROM prediction p JOIN entry e USING (log_id, seq) WHERE {predictions}
    ), held AS (
        SELECT h.* FROM hold h WHERE EXISTS (
            SELECT FROM cases c WHERE h.key_id = c.key_id OR h.model_id = c.model_id OR h.id_hash = c.id_hash
        )
    )
    SELECT log_id, seq FROM held
    UNION SELECT r.log_id, r.seq FROM hold_released r JOIN held USING (hold_id)
    UNION SELECT log_id, seq FROM erased_key JOIN cases USING (key_id)
    UNION SELECT log_id, seq FROM approval JOIN cases USING (key_id)
    UNION SELECT d.log_id, d.seq FROM dropped d JOIN cases c
        ON d.retention_class = c.retention_class AND d.since <= c.at AND d.until > c.at
    UNION SELECT a.log_id, a.seq FROM activity a
        JOIN (SELECT DISTINCT key_id FROM cases) c ON a.object = 'subject:' || encode(c.key_id, 'hex')
        WHERE a.kind IN ('access', 'export', 'subject_export', 'erasure') AND a.kind = 'subject_export'
) k WHERE k.log_id = %(log_id)s AND k.seq >= %(first)s AND k.seq < %(behind)s
"""


def seqs(
    conn: Connected, log: tuple[int, str], size: int, kind: str, asked: Mapping[str, Any]
) -> Iterator[int]:
    """Yield the seqs below `size` of the entries that are about what is asked, of a log given by id and kind.

    `asked` has what the kind of question needs, and `since` and `until` in microseconds.
    """
    log_id, log_kind = log
    query = _query(log_kind, kind)
    for first in range(0, size if query else 0, WINDOW):
        window = {"log_id": log_id, "first": first, "behind": min(first + WINDOW, size), **asked}
        yield from (row[0] for row in conn.execute(query, window))


def _query(log_kind: str, kind: str) -> str:
    if log_kind in {"predictions", "ingest"}:
        return f"SELECT seq FROM prediction WHERE {_WINDOW} AND {_TIME} AND {_PREDICTIONS[kind]} ORDER BY seq"
    if log_kind == "labels":
        return (
            f"SELECT seq FROM label WHERE {_WINDOW} AND {_TIME} AND id_hash IN ({_CASES[kind]}) ORDER BY seq"
        )
    if log_kind != "activity":
        return ""
    tasks = f"SELECT task_id FROM task WHERE id_hash IN ({_CASES[kind]})"
    about = f"task_id IN ({tasks}) {_ACTS.get(kind, '')}"
    acts = f"SELECT seq FROM activity WHERE {_WINDOW} AND {_TIME} AND ({about})"
    more = (_LOOKS + _KEPT).format(predictions=_PREDICTIONS[kind]) if kind in _LOOKED_AT else ""
    return f"{acts} UNION {_documents(kind)} {more} ORDER BY seq"


def _documents(kind: str) -> str:
    """Contracts and policies that were in force for these cases, and all that was said of their queues."""
    return f"""
SELECT d.seq FROM document d LEFT JOIN model m ON m.name = d.name WHERE d.{_WINDOW} AND (
    (d.kind, m.model_id, d.version) IN (
        SELECT 'contract', model_id, contract_version FROM ({_TERMS[kind]}) x
        UNION SELECT 'policy', model_id, policy_version FROM ({_TERMS[kind]}) x
    )
    OR (d.kind = 'queue' AND d.name IN (
        SELECT q.name FROM task t JOIN queue q USING (queue_id) WHERE t.id_hash IN ({_CASES[kind]})
    ))
)
"""
