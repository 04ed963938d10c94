"""A task with everything that an act on it needs, read under its lock."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.db import logs, slots, tasks
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.agreement import Answer, Given, most_answers, plain_text
from reviewsvc.domain.case_secrets import CaseSecrets, read_secrets
from reviewsvc.domain.entries import Entry, Ref, parse
from reviewsvc.domain.event_faults import Fault
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.frames import unframe
from reviewsvc.domain.projections import number
from reviewsvc.domain.review import Claim, Status, Task
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.keyring import KeyGoneError, PayloadGoneError


class TaskMissingError(LookupError):
    """There is no such task."""

    code = "task_missing"


class ErasedError(LookupError):
    """What the task was about has been erased, or is no longer kept."""

    code = "erased"


class Dossier(NamedTuple):
    """A locked task: its row, its state, the prediction's entry, and the event that the producer sent."""

    row: sa.Row[Any]
    task: Task
    entry: Entry
    said: f.Prediction
    event: Event

    @property
    def ref(self) -> Ref:
        """The prediction's entry, as entries about it refer to it."""
        return Ref(self.row.prediction_log, self.entry.seq)

    @property
    def secrets(self) -> CaseSecrets:
        """The producer's ids, which entries about the case carry in their payload."""
        event = self.event
        return CaseSecrets(
            event.model.version, event.source, event.prediction_id, model_text=event.output.text
        )

    @property
    def model_answer(self) -> Answer:
        """What the model answered."""
        said = self.said
        if said.label:
            return Answer(said.label)
        text = None if said.value else self.event.output.text
        return Answer(None, number(said.value), None if text is None else plain_text(text))


def lock(session: Session, task_id: UUID) -> tuple[sa.Row[Any], Task]:
    """Lock a task with its slots: its row and its state, texts of answers left out.

    Raises TaskMissingError.
    """
    row = tasks.lock(session, task_id)
    if row is None:
        raise TaskMissingError("There is no such task.")
    held = slots.of_task(session, task_id)
    given = tasks.decisions(session, task_id)
    return row, Task(row.reviewers, most_answers(row.reviewers), held, given, Status(row.status))


def lock_opened(session: Session, desk: Desk, task_id: UUID) -> Dossier:
    """Lock a task with its slots and read everything that is needed to decide it.

    Raises TaskMissingError, and ErasedError once the prediction can not be opened any more.
    """
    row, task = lock(session, task_id)
    entry = prediction(session, row)
    event = open_event(session, desk, entry, row.prediction_log_id)
    if event.output.text is not None:
        given = tuple(_with_text(session, desk, task_id, one) for one in task.given)
        task = msgspec.structs.replace(task, given=given)
    return Dossier(row, task, entry, read_said(entry), event)


def read_said(entry: Entry) -> f.Prediction:
    """Read the facts of a prediction's entry."""
    return msgspec.json.decode(entry.facts, type=f.Prediction)


def claim_of(task: Task, reviewer: UUID, token: int) -> Claim:
    """Return the claim that a reviewer shows; slot -1 stands for none."""
    mine = [slot.slot_id for slot in task.slots if slot.reviewer == reviewer]
    return Claim(-1 if not mine or mine[0] is None else mine[0], reviewer, token)


def prediction(session: Session, row: sa.Row[Any]) -> Entry:
    """Read the entry of a task's prediction."""
    return parse(logs.one(session, row.prediction_log_id, row.prediction_seq))


def open_event(session: Session, desk: Desk, entry: Entry, log_id: int) -> Event:
    """Open a prediction's payload and read its event again. Raises ErasedError."""
    try:
        record = unframe(desk.keyring.open_payload(session, entry, log_id))
    except (KeyGoneError, PayloadGoneError) as error:
        raise ErasedError("This case has been erased; nothing more can be said about it.") from error
    topic = entry.src.topic if entry.src else ""
    event = read_event(record.value, record.headers, topic)
    if isinstance(event, Fault):
        raise EnvelopeError(f"the payload of entry {entry.seq} of {entry.log} is not what was captured")
    return event


def open_secrets(session: Session, desk: Desk, log_id: int, seq: int) -> CaseSecrets | None:
    """Open the payload of an entry about a case; None once that is not possible any more."""
    entry = parse(logs.one(session, log_id, seq))
    try:
        return read_secrets(desk.keyring.open_payload(session, entry, log_id))
    except (KeyGoneError, PayloadGoneError):
        return None


def _with_text(session: Session, desk: Desk, task_id: UUID, given: Given) -> Given:
    row = next(row for row in tasks.decision_rows(session, task_id) if row.decision_id == given.decision)
    opened = open_secrets(session, desk, row.log_id, row.seq)
    return msgspec.structs.replace(given, answer=Answer(text=opened.text if opened else None))
