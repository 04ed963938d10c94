"""Months of payloads and predictions: which are stored, and dropping those that are past."""

from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain.subject_rows import DroppedRow

_MONTHS: Final = (
    "SELECT s.parent, s.retention_class, c.name, s.since, s.until, s.bytes, s.is_held, "
    "CASE s.parent WHEN 'payload' THEN c.keep_days ELSE c.prediction_days END AS keep_days "
    "FROM stored_month s JOIN retention_class c USING (retention_class) "
    "ORDER BY c.name, s.parent, s.since"
)
# A month may have a hundred million rows.
_PATIENCE: Final = "SET LOCAL statement_timeout = '30min'"
_COUNT: Final = (
    "SELECT count(*) FROM {table} WHERE retention_class = %(retention_class)s "
    "AND at >= %(since)s AND at < %(until)s"
)


_IS_HELD: Final = (
    "SELECT is_held FROM stored_month WHERE parent = %(parent)s "
    "AND retention_class = %(retention_class)s AND since = %(since)s"
)
# Open tasks about payloads of dropped months, or of the one that goes now, unless a hold keeps them.
_TASKS: Final = (
    "WITH gone AS (SELECT retention_class, since, until FROM dropped WHERE parent = 'payload' "
    "UNION SELECT %(retention_class)s::smallint, %(since)s::bigint, %(until)s::bigint) "
    "SELECT t.task_id, t.activity_log_id FROM task t "
    "JOIN gone g ON t.retention_class = g.retention_class "
    "AND t.prediction_at >= g.since AND t.prediction_at < g.until "
    "WHERE t.status IN ('pending', 'disputed') AND NOT EXISTS (SELECT FROM held_entry h "
    "WHERE h.log_id = t.prediction_log_id AND h.seq = t.prediction_seq) ORDER BY t.task_id LIMIT %(limit)s"
)


class StoredMonth(NamedTuple):
    """A month of payloads or predictions of a class; `keep_days` None is for good. Times in microseconds."""

    parent: str
    retention_class: int
    name: str
    since: int
    until: int
    bytes: int
    is_held: bool
    keep_days: int | None


def months(session: Session) -> list[StoredMonth]:
    """Return every month that is stored, by class."""
    return [StoredMonth._make(row) for row in run(session, _MONTHS, {})]


def count(session: Session, month: StoredMonth) -> int:
    """Count a month's rows."""
    session.execute(sa.text(_PATIENCE))
    return int(run(session, _COUNT.format(table=month.parent), month._asdict()).scalar_one())


def is_held(session: Session, month: StoredMonth) -> bool:
    """Say whether a hold keeps the month as a whole."""
    return bool(run(session, _IS_HELD, month._asdict()).scalar_one_or_none())


def open_tasks(session: Session, month: StoredMonth | None, limit: int) -> list[tuple[UUID, int]]:
    """Return open tasks, each with its activity log, whose payload is dropped, or is with this month."""
    none = {"retention_class": None, "since": None, "until": None}
    asked = {**(month._asdict() if month else none), "limit": limit}
    return [(row.task_id, row.activity_log_id) for row in run(session, _TASKS, asked)]


def drop(session: Session, month: StoredMonth, first: date) -> int | None:
    """Drop a month, what is held copied first; return how many rows that were, None if all of it is held."""
    session.execute(sa.text(_PATIENCE))
    dropped = sa.func.drop_month(month.parent, sa.cast(month.retention_class, sa.SmallInteger), first)
    return session.scalar(sa.select(dropped))


def drop_released(session: Session) -> int:
    """Drop what was kept for a hold that has ended; return how many rows that were."""
    return session.scalar(sa.select(sa.func.drop_released())) or 0


def has_held_rows(session: Session) -> bool:
    """Say whether rows are kept for holds beyond their time."""
    return session.scalar(sa.select(sa.exists(sa.select(t.payload_held)))) or False


def add_dropped(session: Session, row: DroppedRow) -> None:
    """Keep which month an entry says was dropped."""
    session.execute(sa.insert(t.dropped).values(row._asdict()))
