"""Tasks as a list for people, and the answers that one has had."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from reviewsvc.crypto.keyed import find_hash
from reviewsvc.db import logs, predictions, task_lists, tasks
from reviewsvc.db.sessions import Session
from reviewsvc.db.task_lists import Wanted
from reviewsvc.domain.contract import Contract
from reviewsvc.domain.entries import parse
from reviewsvc.domain.moments import moment
from reviewsvc.domain.projections import signed64
from reviewsvc.domain.showing import answer_words
from reviewsvc.usecases import dossiers
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.cases import is_blind
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.dossiers import TaskMissingError
from reviewsvc.usecases.hands import Place

_HIDDEN: Final = "hidden"


class ListedTask(NamedTuple):
    """A task as a list shows it: no payload is opened for it."""

    id: UUID
    queue: str
    queue_title: str
    model: str
    subject: str
    model_answer: str
    answer: str | None
    confidence: float | None
    status: str
    overdue: bool
    escalated: bool
    due_at: datetime | None
    created_at: datetime
    reviewers: int
    answers: int
    held_by: str | None


class Said(NamedTuple):
    """One decision about a task."""

    by: str
    kind: str
    answer: str
    agreed: bool
    at: datetime
    note: str | None
    retracted_at: datetime | None
    log: str
    seq: int


def page(
    desk: Desk, who: Current, wanted: Wanted, *, prediction_id: str, before: UUID | None, limit: int
) -> list[ListedTask]:
    """Return tasks that a person may see, the newest first; with an id, those of this prediction."""
    reach = who.reach("tasks.see")
    with desk.sessions.begin() as session:
        if prediction_id:
            wanted = wanted._replace(id_hashes=_hashes(desk, session, prediction_id))
        found = task_lists.page(session, wanted, reach, before=before, limit=limit)
        return [_listed(desk, session, row, who, prediction_id) for row in found]


def one(desk: Desk, who: Current, task_id: UUID) -> ListedTask:
    """Return one task as the list shows it. Raises TaskMissingError."""
    with desk.sessions.begin() as session:
        row = task_lists.one(session, task_id)
        if row is None:
            raise TaskMissingError("There is no such task.")
        return _listed(desk, session, row, who, "")


def names(desk: Desk) -> tuple[list[str], list[str]]:
    """Return the names of all queues and of all models."""
    with desk.sessions.begin() as session:
        return task_lists.names(session)


def decisions(desk: Desk, task_id: UUID) -> list[Said]:
    """Return what people said of a task, the newest first, notes opened."""
    with desk.sessions.begin() as session:
        row = tasks.get(session, task_id)
        found = tasks.decision_rows(session, task_id)
        if row is None or not found:
            return []
        contract = desk.terms.contract(session, row.model, row.contract_version)
        people = tasks.names_of(session, {one.reviewer_id for one in found})
        places = logs.names(session, {one.log_id for one in found})
        return [
            _said(desk, session, one, contract, by=people.get(one.reviewer_id, "?"), log=places[one.log_id])
            for one in reversed(found)
        ]


def _hashes(desk: Desk, session: Session, prediction_id: str) -> set[bytes]:
    key = desk.keyring.hash_key(session, "prediction")
    _, models = task_lists.names(session)
    places = [(model, signed64(find_hash(key, model, prediction_id).hex())) for model in models]
    return {bytes(row.id_hash) for model, place in places for row in predictions.find(session, model, place)}


def _listed(desk: Desk, session: Session, row: sa.Row[Any], who: Current, known_as: str) -> ListedTask:
    queue = desk.terms.queue(session, row.queue, row.queue_version)
    contract = desk.terms.contract(session, row.model, row.contract_version)
    roles = Place(row.queue, row.model).roles(who.grants)
    blind = is_blind(row, queue.sees_model_answer, roles)
    said = answer_words(contract, row.model_label, row.model_value)
    return ListedTask(
        id=row.task_id,
        queue=row.queue,
        queue_title=queue.title,
        model=f"{contract.title or row.model} {row.model_version or ''}".strip(),
        subject=known_as or f"Case {row.task_id.hex[-8:]}",
        model_answer=_HIDDEN if blind else said or "a text",
        answer=answer_words(contract, row.answer_label, row.answer_value),
        confidence=None if blind else row.confidence,
        status=row.status,
        overdue=row.overdue,
        escalated=row.escalated,
        due_at=row.due_at,
        created_at=row.created_at,
        reviewers=row.reviewers,
        answers=row.answers,
        held_by=row.held_by,
    )


def _said(desk: Desk, session: Session, row: sa.Row[Any], contract: Contract, *, by: str, log: str) -> Said:
    opened = dossiers.open_secrets(session, desk, row.log_id, row.seq)
    answer = answer_words(contract, row.label, row.value) or (opened.text if opened else None) or "erased"
    taken_back = None
    if row.retracted_seq is not None:
        taken_back = moment(parse(logs.one(session, row.retracted_log_id, row.retracted_seq)).at)
    note = opened.note if opened else None
    return Said(by, row.kind, answer, row.agreed, moment(row.at), note, taken_back, log, row.seq)
