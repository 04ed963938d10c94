"""Questions to the tables as wholes, for verification: each answer is something that does not agree."""

from collections.abc import Iterator, Mapping
from typing import Final

from reviewsvc.db.hot.connection import Connected

# One step down the index for each log, however many entries there are.
_LOGS_OF_ENTRIES: Final = """
WITH RECURSIVE held (log_id) AS (
    SELECT min(log_id) FROM entry
    UNION ALL
    SELECT (SELECT min(e.log_id) FROM entry e WHERE e.log_id > held.log_id)
    FROM held WHERE held.log_id IS NOT NULL
)
SELECT held.log_id FROM held LEFT JOIN log USING (log_id)
WHERE held.log_id IS NOT NULL AND log.log_id IS NULL
"""
_MISSING_LOGS: Final = """
SELECT wanted.series FROM (
    SELECT 'activity/' || n AS series FROM installation, generate_series(0, activity_logs - 1) AS n
    UNION ALL SELECT 'root'
    UNION ALL SELECT 'labels/' || name FROM model
) AS wanted LEFT JOIN log USING (series) WHERE log.log_id IS NULL
"""
# Rows newer than the run, whose head has counted them, are left out: a busy service raises no alarm.
_ROWS: Final = """
SELECT count(*) FROM {table} t
LEFT JOIN head h ON h.log_id = t.{log_id}
LEFT JOIN unnest(%s::int[], %s::bigint[]) AS s (log_id, size) ON s.log_id = t.{log_id}
WHERE t.{seq} IS NOT NULL AND (h.log_id IS NULL OR t.{seq} >= h.size OR t.{seq} < s.size)
"""
_DISAGREEMENTS: Final = {
    "decision {} says another time of its prediction than its task": (
        "SELECT d.decision_id::text FROM decision d LEFT JOIN task t USING (task_id) "
        "WHERE d.prediction_at IS DISTINCT FROM t.prediction_at LIMIT 10"
    ),
    "task {} has an answer and is not closed, or is closed without one": (
        "SELECT task_id::text FROM task "
        "WHERE (status IN ('decided', 'defaulted', 'withdrawn')) <> (answer_seq IS NOT NULL) LIMIT 10"
    ),
    "task {} is marked as escalated, and no entry says so": (
        "SELECT t.task_id::text FROM task t WHERE t.escalated AND NOT EXISTS ("
        "SELECT 1 FROM activity a JOIN entry e USING (log_id, seq) WHERE a.task_id = t.task_id "
        "AND position(convert_to('\"move\":\"escalated\"', 'UTF8') IN e.body) > 0) LIMIT 10"
    ),
    "label_current does not hold the last label said of prediction {}": (
        "WITH said AS (SELECT DISTINCT ON (model_id, id_hash) model_id, id_hash, log_id, seq, op FROM label "
        "ORDER BY model_id, id_hash, log_id DESC, seq DESC) "
        "SELECT encode(coalesce(s.id_hash, c.id_hash), 'hex') "
        "FROM said s FULL JOIN label_current c ON c.model_id = s.model_id AND c.id_hash = s.id_hash "
        "WHERE CASE WHEN s.op = 'add' THEN (s.log_id, s.seq) IS DISTINCT FROM (c.log_id, c.seq) "
        "ELSE c.seq IS NOT NULL END LIMIT 10"
    ),
}


def logs(conn: Connected) -> Iterator[str]:
    """Entries whose log is unknown, and logs that must exist and do not."""
    for row in conn.execute(_LOGS_OF_ENTRIES):
        yield f"entries are stored for log {row[0]}, which does not exist"
    for row in conn.execute(_MISSING_LOGS):
        yield f"the log {row[0]} is missing"


def surplus(
    conn: Connected, table: str, columns: tuple[str, str], sizes: Mapping[int, int], known: int
) -> int:
    """How many rows a table has beyond those `known` to belong to entries of the logs read up to `sizes`.

    `columns` name the log and the seq that a row belongs to. Rows behind a log's end count.
    """
    query = _ROWS.format(table=table, log_id=columns[0], seq=columns[1])
    row = conn.execute(query, (list(sizes), list(sizes.values()))).fetchone()
    return (int(row[0]) if row else 0) - known


def disagreements(conn: Connected) -> Iterator[str]:
    """Rows of the tables that contradict each other, at most ten of each sort."""
    for words, query in _DISAGREEMENTS.items():
        for row in conn.execute(query):
            yield words.format(row[0])
