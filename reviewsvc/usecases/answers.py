"""What people say of a task: decisions, taking them back, and the adjudication that ends a disagreement."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import logs, slots, tasks
from reviewsvc.domain import facts as f
from reviewsvc.domain import review
from reviewsvc.domain.agreement import Answer, Given, plain_text, read_answer
from reviewsvc.domain.entries import Actor, Ref, number
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import Place, decision_row
from reviewsvc.domain.review import SlotState, StaleClaimError, Status, Task, UndoError
from reviewsvc.usecases import case_log, dossiers, labelling
from reviewsvc.usecases.claims import Held, hand_out
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.dossiers import Dossier

LONGEST_NOTE = 4_000
_UNANSWERED = dict.fromkeys(("closed_at", "answer_label", "answer_value", "answer_log_id", "answer_seq"))


class Sent(NamedTuple):
    """An answer as it was sent: its own id, the claim's token, the class, number or text, and a note."""

    decision_id: UUID
    token: int
    value: object
    note: str | None = None


class Decided(NamedTuple):
    """A decision that stands, what it did to its task, and until when it can be taken back."""

    decision_id: UUID
    task_id: UUID
    answer: Answer
    agreed: bool
    status: Status
    undo_until: datetime | None


class Undone(NamedTuple):
    """What a decision's taking back did to its task; `held` if the task is in the same hands again."""

    task_id: UUID
    queue: str
    status: Status
    held: Held | None


def decide(desk: Desk, task_id: UUID, sent: Sent, *, actor: Actor, at: datetime) -> Decided:
    """Record the answer of the reviewer who holds the task.

    The same answer sent again under the same token is answered as the first time. Raises StaleClaimError,
    TaskClosedError, AnswerError, TaskMissingError, ErasedError.
    """
    reviewer = UUID(actor.id)
    with desk.work(actor, at) as work:
        case = dossiers.lock_opened(work.session, desk, task_id)
        answer = _read(work, case, sent.value)
        claimed = dossiers.claim_of(case.task, reviewer, sent.token)
        before = _said_before(case, claimed, answer)
        if before is not None:
            return _decided(work, case, case.task, before)
        given = Given(sent.decision_id, reviewer, answer, work.clock, claimed.slot_id)
        after = review.decide(case.task, claimed, given)
        _record(work, case, after, given, sent.note)
        return _decided(work, case, after, given)


def adjudicate(desk: Desk, task_id: UUID, sent: Sent, *, actor: Actor, at: datetime) -> Decided:
    """End a disagreement with the answer of someone who did not answer the task; the token does not count.

    Raises AdjudicationError, AnswerError, TaskMissingError, ErasedError.
    """
    with desk.work(actor, at) as work:
        case = dossiers.lock_opened(work.session, desk, task_id)
        answer = _read(work, case, sent.value)
        given = Given(sent.decision_id, UUID(actor.id), answer, work.clock)
        after = review.adjudicate(case.task, given)
        _record(work, case, after, given, sent.note)
        return _decided(work, case, after, given)


def undo(desk: Desk, decision_id: UUID, *, actor: Actor, at: datetime, hold: bool = True) -> Undone:
    """Take one's own decision back; with `hold` the task is in one's hands again, if a place is free.

    Raises UndoError, TaskClosedError, ErasedError.
    """
    with desk.work(actor, at) as work:
        found = tasks.decision(work.session, decision_id)
        if found is None:
            raise UndoError("There is no such decision.")
        case = dossiers.lock_opened(work.session, desk, found.task_id)
        after = review.undo(case.task, decision_id, UUID(actor.id), microseconds(at), _undo_limit(work, case))
        is_reopened = case.task.status == Status.DECIDED != after.status
        place = _retract(work, case, after, found, is_reopened=is_reopened)
        held = hand_out(work, case.row, after) if hold else None
        if is_reopened:
            labelling.withdraw(work, case, (found.log_id, found.seq), place)
        return Undone(found.task_id, case.row.queue, after.status, held)


def _read(work: Work, case: Dossier, value: object) -> Answer:
    said = case.model_answer
    if said.text and isinstance(value, str) and plain_text(value) == said.text:
        # Whoever agrees did not write it, so that it may be longer than what people write.
        return said
    contract = work.desk.terms.contract(work.session, case.row.model, case.row.contract_version)
    return read_answer(contract.output, value)


def _said_before(case: Dossier, claimed: review.Claim, answer: Answer) -> Given | None:
    """The decision that was given under this claim, if this is the same sent again."""
    slot = next((slot for slot in case.task.slots if slot.slot_id == claimed.slot_id), None)
    if slot is None or slot.state != SlotState.DECIDED or slot.token != claimed.token:
        return None
    given = next(one for one in case.task.given if one.slot_id == slot.slot_id and not one.is_retracted)
    if given.answer != answer:
        raise StaleClaimError("You have answered this task already; take that answer back first.")
    return given


def _decided(work: Work, case: Dossier, after: Task, given: Given) -> Decided:
    until = None if given.slot_id is None else work.at + _undo_limit(work, case)
    agreed = given.answer == case.model_answer
    return Decided(given.decision, case.row.task_id, given.answer, agreed, after.status, until)


def _undo_limit(work: Work, case: Dossier) -> timedelta:
    queue = work.desk.terms.queue(work.session, case.row.queue, case.row.queue_version)
    return work.desk.undo if queue.undo_minutes is None else timedelta(minutes=queue.undo_minutes)


def _record(work: Work, case: Dossier, after: Task, given: Given, note: str | None) -> None:
    """Write the decision and, if it ends the task, the task's answer and its label."""
    said = _decision_facts(case, after, given)
    secrets = msgspec.structs.replace(case.secrets, text=given.answer.text, note=_clean(note))
    place = case_log.write(work, case.row, case.entry, "decision", said, secrets=secrets)
    tasks.add_decision(work.session, decision_row(place, said), given.slot_id, case.row.prediction_at)
    slots.save(work.session, case.row, case.task.slots, after.slots)
    if after.status == Status.DECIDED:
        close(work, case, given.answer, place, after.status)
        labelling.add(work, case, given.answer, said.kind, place)
    elif after.status != case.task.status:
        tasks.save(work.session, case.row.task_id, status=after.status.value)


def _decision_facts(case: Dossier, after: Task, given: Given) -> f.Decision:
    final = final_facts("decided", case, given.answer) if after.status == Status.DECIDED else None
    return f.Decision(
        decision=str(given.decision),
        task=str(case.row.task_id),
        id=case.said.id,
        model=case.said.model,
        kind="adjudication" if given.slot_id is None else "review",
        agreed=given.answer == case.model_answer,
        reviewer=str(given.reviewer),
        predicted_at=case.said.predicted_at,
        label=given.answer.label,
        value=number(given.answer.value),
        final=final,
    )


def close(work: Work, case: Dossier, answer: Answer, place: Place, status: Status) -> None:
    """Give a task its answer, which the entry at a place brought."""
    tasks.save(
        work.session,
        case.row.task_id,
        status=status.value,
        closed_at=work.at,
        answer_label=answer.label,
        answer_value=answer.value,
        answer_log_id=place.log_id,
        answer_seq=place.seq,
    )


def final_facts(status: str, case: Dossier, answer: Answer | None = None) -> f.Final:
    """What goes back to the system that asked, beside what its model said."""
    said = answer or Answer()
    return f.Final(status, said.label, number(said.value), case.said.label, case.said.value)


def _retract(work: Work, case: Dossier, after: Task, found: sa.Row[Any], *, is_reopened: bool) -> Place:
    said = f.Retraction(
        decision=str(found.decision_id),
        task=str(case.row.task_id),
        id=case.said.id,
        model=case.said.model,
        reviewer=str(found.reviewer_id),
        predicted_at=case.said.predicted_at,
        final=final_facts("pending", case) if is_reopened else None,
    )
    # After a restore the decision stands in the log before the one that the case is written to now.
    ref = Ref(logs.names(work.session, [found.log_id])[found.log_id], found.seq)
    place = case_log.write(work, case.row, case.entry, "retraction", said, secrets=case.secrets, ref=ref)
    tasks.retract(work.session, found.decision_id, place)
    slots.save(work.session, case.row, case.task.slots, after.slots)
    more = _UNANSWERED if is_reopened else {}
    tasks.save(work.session, case.row.task_id, status=after.status.value, **more)
    return place


def _clean(note: str | None) -> str | None:
    return note.strip()[:LONGEST_NOTE] or None if note else None
