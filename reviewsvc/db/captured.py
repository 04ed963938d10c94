"""Captured partitions as operators see them: where each stands, and the alarm that stopped it."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t


class Captured(NamedTuple):
    """A partition's log: its size, the offset that comes next, its writer, and its alarm, if one stands."""

    log_id: int
    log: str
    topic: str
    partition: int
    size: int
    next_offset: int
    last_at: int
    owner: str | None
    reason: str | None
    detail: dict[str, Any] | None
    since: datetime | None
    consent: dict[str, Any] | None


_ALARM = tuple(t.capture_alarm.c[name] for name in ("reason", "detail", "since", "consent"))
_PLACE = (
    t.log.c.log_id,
    t.log.c.name.label("log"),
    t.log.c.topic,
    t.log.c.partition,
    t.head.c.size,
    t.head.c.next_offset,
    t.head.c.last_at,
    t.head.c.owner,
)


def partitions(session: Session, topic: str | None = None, partition: int | None = None) -> list[Captured]:
    """Return captured partitions, of one topic or only one, by topic, partition and incarnation."""
    query = (
        sa.select(*_PLACE, *_ALARM)
        .join(t.head, t.head.c.log_id == t.log.c.log_id)
        .outerjoin(t.capture_alarm, t.capture_alarm.c.log_id == t.log.c.log_id)
        .where(t.log.c.topic.is_not(None))
        .order_by(t.log.c.topic, t.log.c.partition, t.log.c.incarnation)
    )
    if topic is not None:
        query = query.where(t.log.c.topic == topic)
    if partition is not None:
        query = query.where(t.log.c.partition == partition)
    return [Captured(*row) for row in session.execute(query)]


def lock_alarm(session: Session, log_id: int) -> bool:
    """Lock a log's alarm until the transaction ends; False if none stands."""
    wanted = sa.select(t.capture_alarm.c.log_id).where(t.capture_alarm.c.log_id == log_id)
    return session.scalar(wanted.with_for_update()) is not None


def consent(session: Session, log_id: int, said: dict[str, Any]) -> None:
    """Keep an operator's consent beside the alarm, in place of an earlier one."""
    session.execute(sa.update(t.capture_alarm).where(t.capture_alarm.c.log_id == log_id).values(consent=said))
