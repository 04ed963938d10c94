"""Tasks: one row each, locked before whatever is decided about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.agreement import Answer, Given
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.projections import DecisionRow, Place

_NAMED = (
    t.model.c.name.label("model"),
    t.queue.c.name.label("queue"),
    t.queue.c.version.label("queue_version"),
    t.log.c.name.label("prediction_log"),
    t.model.c.label_log_id,
)


class TaskFilter(NamedTuple):
    """Which tasks a list shows: within a reach, of a queue, of a status, held by somebody; None is any."""

    reach: Reach
    queue: str | None = None
    status: str | None = None
    held_by: UUID | None = None


def get(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return a task with the names of its model, queue and prediction's log; None if there is none."""
    return session.execute(_named().where(t.task.c.task_id == task_id)).first()


def lock(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return the same, locked until the transaction ends; slots come after it."""
    return session.execute(_named().where(t.task.c.task_id == task_id).with_for_update(of=t.task)).first()


def by_id_hash(session: Session, id_hash: bytes) -> sa.Row[Any] | None:
    """Return the task of a prediction, if people were asked."""
    return session.execute(_named().where(t.task.c.id_hash == id_hash)).first()


def list_page(session: Session, wanted: TaskFilter, *, after: UUID | None, limit: int) -> list[sa.Row[Any]]:
    """Return tasks in the order of their ids, which is that of their making."""
    query = _named().order_by(t.task.c.task_id).limit(limit)
    if not wanted.reach.everywhere:
        queues, models = t.queue.c.name.in_(wanted.reach.queues), t.model.c.name.in_(wanted.reach.models)
        query = query.where(sa.or_(queues, models))
    if wanted.queue is not None:
        query = query.where(t.queue.c.name == wanted.queue)
    if wanted.status is not None:
        query = query.where(t.task.c.status == wanted.status)
    if wanted.held_by is not None:
        mine = (t.slot.c.reviewer_id == wanted.held_by, t.slot.c.state == "claimed")
        query = query.where(t.task.c.task_id.in_(sa.select(t.slot.c.task_id).where(*mine)))
    if after is not None:
        query = query.where(t.task.c.task_id > after)
    return list(session.execute(query))


def due(session: Session, at: datetime, limit: int) -> list[UUID]:
    """Return tasks whose due time has passed and was not acted on, longest first."""
    late = (t.task.c.due_at <= at, t.task.c.status.in_(("pending", "disputed")), ~t.task.c.overdue)
    return list(
        session.scalars(sa.select(t.task.c.task_id).where(*late).order_by(t.task.c.due_at).limit(limit))
    )


def save(session: Session, task_id: UUID, **values: object) -> None:
    """Change columns of a task, which is locked."""
    session.execute(sa.update(t.task).where(t.task.c.task_id == task_id).values(**values))


def decisions(session: Session, task_id: UUID) -> tuple[Given, ...]:
    """Return a task's decisions in the order in which they came; texts stay in their payloads."""
    rows = decision_rows(session, task_id)
    return tuple(
        Given(
            row.decision_id,
            row.reviewer_id,
            Answer(row.label, row.value),
            row.at,
            row.slot_id,
            row.retracted_seq is not None,
        )
        for row in rows
    )


def decision_rows(session: Session, task_id: UUID) -> list[sa.Row[Any]]:
    """Return a task's rows of `decision` in the order in which they came."""
    order = (t.decision.c.at, t.decision.c.seq)
    return list(
        session.execute(sa.select(t.decision).where(t.decision.c.task_id == task_id).order_by(*order))
    )


def decision(session: Session, decision_id: UUID) -> sa.Row[Any] | None:
    """Return a row of `decision`."""
    return session.execute(sa.select(t.decision).where(t.decision.c.decision_id == decision_id)).first()


def add_decision(session: Session, row: DecisionRow, slot_id: int | None, prediction_at: int) -> None:
    """Keep a decision."""
    values = {**row._asdict(), "slot_id": slot_id, "prediction_at": prediction_at}
    session.execute(sa.insert(t.decision).values(values))


def retract(session: Session, decision_id: UUID, place: Place) -> None:
    """Mark a decision as taken back by the entry at a place."""
    values = {"retracted_log_id": place.log_id, "retracted_seq": place.seq}
    session.execute(sa.update(t.decision).where(t.decision.c.decision_id == decision_id).values(values))


def _named() -> sa.Select[Any]:
    return (
        sa.select(t.task, *_NAMED)
        .join(t.model, t.model.c.model_id == t.task.c.model_id)
        .join(t.queue, t.queue.c.queue_id == t.task.c.queue_id)
        .join(t.log, t.log.c.log_id == t.task.c.prediction_log_id)
    )


def same_subject(session: Session, row: sa.Row[Any], limit: int) -> list[sa.Row[Any]]:
    """Return other predictions about a task's subject, the newest first, with the task that they led to.

    Columns: predicted_at, label, value, confidence, model, status, answer_label, answer_value.
    """
    mine = (
        t.prediction.c.log_id == row.prediction_log_id,
        t.prediction.c.seq == row.prediction_seq,
        t.prediction.c.retention_class == row.retention_class,
        t.prediction.c.at == row.prediction_at,
    )
    subject = session.scalar(sa.select(t.prediction.c.subject).where(*mine))
    if subject is None:
        return []
    said = ("predicted_at", "label", "value", "confidence")
    columns = [t.prediction.c[name] for name in said]
    query = (
        sa.select(*columns, t.model.c.name.label("model"), t.task.c.status, t.task.c.answer_label)
        .add_columns(t.task.c.answer_value)
        .join(t.model, t.model.c.model_id == t.prediction.c.model_id)
        .outerjoin(t.task, t.task.c.id_hash == t.prediction.c.id_hash)
        .where(t.prediction.c.subject == subject, t.prediction.c.id_hash != row.id_hash)
        .order_by(t.prediction.c.predicted_at.desc())
        .limit(limit)
    )
    return list(session.execute(query))


def moves(session: Session, task_id: UUID) -> list[sa.Row[Any]]:
    """Return the entries by which a task was put off, flagged, escalated or ended: log_id, seq, body."""
    acts = (t.activity.c.task_id == task_id, t.activity.c.kind == "task_moved")
    at_place = (t.entry.c.log_id == t.activity.c.log_id, t.entry.c.seq == t.activity.c.seq)
    query = sa.select(t.entry).join(t.activity, sa.and_(*at_place)).where(*acts)
    return list(session.execute(query.order_by(t.activity.c.at, t.activity.c.seq)))


def names_of(session: Session, people: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of people."""
    found = session.execute(
        sa.select(t.person.c.person_id, t.person.c.name).where(t.person.c.person_id.in_(people))
    )
    return {row.person_id: row.name for row in found}
