"""Keys of days and of quarantined events that nothing which is still stored needs any more."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run

_DAY_US: Final = 86_400_000_000
# Of dropped months: the keys of logs that store no payload of that month any more, held ones included;
# quarantined events have keys of their own.
_OF_DAYS: Final = (
    "WITH gone AS (SELECT DISTINCT since, until FROM dropped WHERE parent = 'payload'), "
    "past AS MATERIALIZED (SELECT k.key_id, k.log_id, "
    "(extract(epoch FROM k.day::timestamp) * 1000000)::bigint AS day_us "
    "FROM gone g CROSS JOIN log JOIN keys.data_key k ON k.log_id = log.log_id "
    "AND k.day >= (to_timestamp(g.since / 1e6) AT TIME ZONE 'UTC')::date "
    "AND k.day < (to_timestamp(g.until / 1e6) AT TIME ZONE 'UTC')::date "
    "WHERE NOT EXISTS (SELECT FROM payload p WHERE p.log_id = k.log_id "
    "AND p.at >= g.since AND p.at < g.until AND NOT EXISTS "
    "(SELECT FROM quarantine q WHERE q.log_id = p.log_id AND q.seq = p.seq)) "
    "AND NOT EXISTS (SELECT FROM payload_held p WHERE p.log_id = k.log_id "
    "AND p.at >= g.since AND p.at < g.until)) "
)
# What was said of a case later is under the key of its prediction's day, and may be kept longer.
_FREE: Final = (
    "SELECT past.key_id FROM past "
    "WHERE NOT EXISTS (SELECT FROM export_job j WHERE j.key_id = past.key_id) "
    "AND NOT EXISTS (SELECT FROM task JOIN activity a USING (task_id) "
    "WHERE task.prediction_log_id = past.log_id "
    f"AND task.prediction_at >= past.day_us AND task.prediction_at < past.day_us + {_DAY_US} "
    "AND (EXISTS (SELECT FROM payload p WHERE p.log_id = a.log_id AND p.seq = a.seq AND p.at = a.at) "
    "OR EXISTS (SELECT FROM payload_held p WHERE p.log_id = a.log_id AND p.seq = a.seq))) "
    "AND NOT EXISTS (SELECT FROM label b "
    f"WHERE b.prediction_at >= past.day_us AND b.prediction_at < past.day_us + {_DAY_US} "
    "AND (EXISTS (SELECT FROM payload p WHERE p.log_id = b.log_id AND p.seq = b.seq AND p.at = b.at) "
    "OR EXISTS (SELECT FROM payload_held p WHERE p.log_id = b.log_id AND p.seq = b.seq)))"
)
_OF_EVENTS: Final = (
    "SELECT k.key_id FROM quarantine q JOIN entry e USING (log_id, seq) JOIN keys.data_key k "
    "ON k.key_id = decode(convert_from(e.body, 'UTF8')::json #>> '{payload,key}', 'hex') "
    "WHERE EXISTS (SELECT FROM dropped d WHERE d.parent = 'payload' AND q.at >= d.since AND q.at < d.until) "
    "AND NOT EXISTS (SELECT FROM payload p WHERE p.log_id = q.log_id AND p.seq = q.seq AND p.at = q.at) "
    "AND NOT EXISTS (SELECT FROM payload_held p WHERE p.log_id = q.log_id AND p.seq = q.seq)"
)


def find(session: Session) -> list[bytes]:
    """Return the ids of the keys that nothing needs any more."""
    found: list[sa.Row[Any]] = []
    for query in (_OF_DAYS + _FREE, _OF_EVENTS):
        found += run(session, query, {})
    return sorted({bytes(row.key_id) for row in found})


def is_of_day(session: Session, key_id: bytes) -> bool:
    """Say whether a key is that of a log's day: of events without a subject."""
    wanted = (t.data_key.c.key_id == key_id, t.data_key.c.day.is_not(None))
    return session.scalar(sa.select(t.data_key.c.key_id).where(*wanted)) is not None
