"""Tasks: one row each, locked before whatever is decided about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
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


_ONE: Final = (
    "SELECT t.*, m.name AS model, q.name AS queue, q.version AS queue_version, l.name AS prediction_log, "
    "m.label_log_id, a.name AS activity_log FROM task t JOIN model m USING (model_id) "
    "JOIN queue q USING (queue_id) JOIN log l ON l.log_id = t.prediction_log_id "
    "JOIN log a ON a.log_id = t.activity_log_id WHERE t.task_id = %(task_id)s"
)
_DECISIONS: Final = "SELECT * FROM decision WHERE task_id = %(task_id)s ORDER BY at, seq"
_COLUMNS: Final = (*DecisionRow._fields, "slot_id", "prediction_at")
_ADD_DECISION: Final = (
    f"INSERT INTO decision ({', '.join(_COLUMNS)}) VALUES ({', '.join(f'%({name})s' for name in _COLUMNS)})"
)
_PREDICTION: Final = ("prediction_log_id", "prediction_seq", "retention_class", "prediction_at")
_SAME_SUBJECT: Final = (
    "SELECT p.predicted_at, p.label, p.value, p.confidence, m.name AS model, t.status, t.answer_label, "
    "t.answer_value, t.blind FROM prediction p JOIN model m USING (model_id) "
    "LEFT JOIN task t ON t.id_hash = p.id_hash "
    "WHERE (p.subject, p.model_id) = (SELECT subject, model_id FROM prediction "
    "WHERE log_id = %(prediction_log_id)s AND seq = %(prediction_seq)s "
    "AND retention_class = %(retention_class)s AND at = %(prediction_at)s) "
    "AND p.id_hash <> %(id_hash)s ORDER BY p.predicted_at DESC LIMIT %(limit)s"
)
_MOVES: Final = (
    "SELECT e.log_id, e.seq, e.body FROM activity a JOIN entry e USING (log_id, seq) "
    "WHERE a.task_id = %(task_id)s AND a.kind = 'task_moved' ORDER BY a.at, a.seq"
)


class TaskFilter(NamedTuple):
    """Which tasks a list shows: within a reach, of a queue, of a status, held by somebody; None is any."""

    reach: Reach
    queue: str | None = None
    status: str | None = None
    held_by: UUID | None = None


def get(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return a task with the names of its model, queue and prediction's log; None if there is none."""
    return run(session, _ONE, {"task_id": task_id}).first()


def lock(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return the same, locked until the transaction ends; slots come after it."""
    return run(session, f"{_ONE} FOR UPDATE OF t", {"task_id": task_id}).first()


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
    changed = ", ".join(f"{name} = %({name})s" for name in values)
    run(session, f"UPDATE task SET {changed} WHERE task_id = %(task_id)s", {"task_id": task_id, **values})


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
    return list(run(session, _DECISIONS, {"task_id": task_id}))


def decision(session: Session, decision_id: UUID) -> sa.Row[Any] | None:
    """Return a row of `decision`."""
    return session.execute(sa.select(t.decision).where(t.decision.c.decision_id == decision_id)).first()


def add_decision(session: Session, row: DecisionRow, slot_id: int | None, prediction_at: int) -> None:
    """Keep a decision."""
    values = {**row._asdict(), "slot_id": slot_id, "prediction_at": prediction_at}
    run(session, _ADD_DECISION, values)


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
    """Return the model's other predictions about a task's subject, the newest first, with their tasks.

    Of other models' the reader may know nothing.
    Columns: predicted_at, label, value, confidence, model, status, answer_label, answer_value, blind.
    """
    values = {name: getattr(row, name) for name in _PREDICTION}
    return list(run(session, _SAME_SUBJECT, {**values, "id_hash": row.id_hash, "limit": limit}))


def moves(session: Session, task_id: UUID) -> list[sa.Row[Any]]:
    """Return the entries by which a task was put off, flagged, escalated or ended: log_id, seq, body."""
    return list(run(session, _MOVES, {"task_id": task_id}))


def names_of(session: Session, people: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of people."""
    if not people:
        return {}
    found = session.execute(
        sa.select(t.person.c.person_id, t.person.c.name).where(t.person.c.person_id.in_(people))
    )
    return {row.person_id: row.name for row in found}
