"""Tasks as a list for people: the newest first, with who holds them and how many answers they have."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import Reach


class Wanted(NamedTuple):
    """Which tasks are asked for; None asks for all."""

    queue: str | None = None
    model: str | None = None
    status: str | None = None
    id_hashes: Collection[bytes] | None = None


def page(
    session: Session, wanted: Wanted, within: Reach, *, before: UUID | None, limit: int
) -> list[sa.Row[Any]]:
    """Return tasks within reach, the newest first, before the last one of an earlier page."""
    query = _listed().order_by(t.task.c.task_id.desc()).limit(limit)
    for column, value in (
        (t.queue.c.name, wanted.queue),
        (t.model.c.name, wanted.model),
        (t.task.c.status, wanted.status),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.id_hashes is not None:
        query = query.where(t.task.c.id_hash.in_(wanted.id_hashes))
    if not within.everywhere:
        query = query.where(sa.or_(t.queue.c.name.in_(within.queues), t.model.c.name.in_(within.models)))
    if before is not None:
        query = query.where(t.task.c.task_id < before)
    return list(session.execute(query))


def one(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return one task as the list shows it."""
    return session.execute(_listed().where(t.task.c.task_id == task_id)).first()


def names(session: Session) -> tuple[list[str], list[str]]:
    """Return the names of all queues and of all models."""
    queues = session.scalars(sa.select(t.queue.c.name).order_by(t.queue.c.name))
    return list(queues), list(session.scalars(sa.select(t.model.c.name).order_by(t.model.c.name)))


def _listed() -> sa.Select[Any]:
    prediction = sa.and_(
        t.prediction.c.retention_class == t.task.c.retention_class,
        t.prediction.c.at == t.task.c.prediction_at,
        t.prediction.c.log_id == t.task.c.prediction_log_id,
        t.prediction.c.seq == t.task.c.prediction_seq,
    )
    answers = sa.select(sa.func.count()).select_from(t.decision)
    answers = answers.where(t.decision.c.task_id == t.task.c.task_id, t.decision.c.retracted_seq.is_(None))
    holders = sa.select(sa.func.string_agg(t.person.c.name, ", "))
    holders = holders.select_from(t.slot).join(t.person, t.person.c.person_id == t.slot.c.reviewer_id)
    holders = holders.where(t.slot.c.task_id == t.task.c.task_id, t.slot.c.state == "claimed")
    listed: sa.Select[Any] = sa.select(
        t.task,
        t.queue.c.name.label("queue"),
        t.queue.c.version.label("queue_version"),
        t.model.c.name.label("model"),
        t.model_version.c.version.label("model_version"),
        t.prediction.c.confidence,
        answers.scalar_subquery().label("answers"),
        holders.scalar_subquery().label("held_by"),
    )
    return (
        listed.select_from(t.task)
        .join(t.queue, t.queue.c.queue_id == t.task.c.queue_id)
        .join(t.model, t.model.c.model_id == t.task.c.model_id)
        .outerjoin(t.prediction, prediction)
        .outerjoin(t.model_version, t.model_version.c.version_id == t.prediction.c.version_id)
    )
