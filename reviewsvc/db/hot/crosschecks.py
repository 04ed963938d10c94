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
_UNRULED: Final = """
SELECT attrelid::regclass::text || '.' || attname || ' may be empty' AS what FROM pg_attribute
WHERE NOT attnotnull AND (attrelid, attname) IN (SELECT to_regclass(wanted[1]), wanted[2]
    FROM (SELECT string_to_array(unnest(%s::text[]), '.') AS wanted) AS each)
UNION ALL SELECT 'entry.body may be of any length' WHERE NOT EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = to_regclass('entry') AND convalidated
    AND pg_get_constraintdef(oid) = 'CHECK ((octet_length(body) <= 65535))')
ORDER BY what
"""
# Nothing can be judged where these are empty, which the tables as they are made do not allow.
_RULED: Final = (
    *("installation.origin", "installation.opened_at", "log.series", "log.incarnation", "log.kind"),
    *("head.size", "head.last_hash", "head.last_at", "entry.body", "payload.ciphertext", "payload.at"),
    *("checkpoint.root", "checkpoint.note", "checkpoint.at", "tile.data", "time_stamp.answer"),
    *("signing_key.log_id", "signing_key.seq", "signing_key.vkey", "signing_key.valid_from"),
    *("cosignature.root_log_id", "cosignature.size", "cosignature.vkey", "cosignature.line"),
)
_MISNAMED_LOGS: Final = """
SELECT log_id, name FROM log WHERE series IS DISTINCT FROM
    kind || CASE WHEN kind = 'root' THEN '' WHEN kind = 'labels' THEN '/' || model
    WHEN kind IN ('activity', 'ingest') THEN '/' || shard ELSE '/' || topic || '/' || partition END
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
    "model {} is not under the newest version of its contract and policy": (
        "SELECT m.name FROM model m LEFT JOIN document d ON d.name = m.name "
        "GROUP BY m.model_id HAVING "
        "m.contract_version IS DISTINCT FROM max(d.version) FILTER (WHERE d.kind = 'contract') "
        "OR m.policy_version IS DISTINCT FROM max(d.version) FILTER (WHERE d.kind = 'policy') LIMIT 10"
    ),
    "queue {} is not under its newest version": (
        "SELECT name FROM queue q WHERE version IS DISTINCT FROM "
        "(SELECT max(version) FROM document d WHERE d.kind = 'queue' AND d.name = q.name) LIMIT 10"
    ),
    "model {} says its labels in another log than its newest": (
        "SELECT m.name FROM model m WHERE label_log_id IS DISTINCT FROM (SELECT log_id FROM log "
        "WHERE kind = 'labels' AND series = 'labels/' || m.name ORDER BY incarnation DESC LIMIT 1) LIMIT 10"
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


def unruled(conn: Connected) -> Iterator[str]:
    """Columns that may be empty although they must not, or of a length that no memory has."""
    for row in conn.execute(_UNRULED, (list(_RULED),)):
        yield f"{row[0]}: somebody took that rule from the table; nothing can be judged before"


def logs(conn: Connected) -> Iterator[str]:
    """Entries whose log is unknown, logs of a wrong name, and logs that must exist and do not."""
    for row in conn.execute(_LOGS_OF_ENTRIES):
        yield f"entries are stored for log {row[0]}, which does not exist"
    for row in conn.execute(_MISNAMED_LOGS):
        yield f"log {row[0]} is called {row[1]}, and is of another kind, topic, partition, shard or model"
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
