"""A case with everything needed to decide it, as the desk and the API show it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct

from reviewsvc.db import slots, tasks
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.events import Event
from reviewsvc.domain.policy import Policy
from reviewsvc.domain.showing import (
    Choice,
    ShownAnswer,
    Weight,
    share_words,
    show_answer,
    show_choices,
    show_weights,
)
from reviewsvc.domain.shown_inputs import ShownInput, show_inputs
from reviewsvc.domain.visible import visible
from reviewsvc.usecases import case_log, dossiers, stories
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.dossiers import TaskMissingError
from reviewsvc.usecases.stories import Happening, Note

HIDDEN = "A rule on the model's answer, which is hidden until you have answered."
_TELLING = ("label", "value")
WEIGHTS_WORDS = (
    "As the model's producer explains it, in the model's own unit: bars to the right raised its answer, "
    "bars to the left lowered it."
)


class Model(Struct, frozen=True):
    """A model and one of its versions."""

    name: str
    version: str


class Reason(Struct, frozen=True):
    """A rule that brought the case to people, in words."""

    words: str
    rule: str


class Case(Struct, frozen=True):
    """A task as its reader may see it; `token` and `lease_until` are None unless the reader holds it."""

    id: UUID
    queue: str
    status: str
    token: int | None
    lease_until: datetime | None
    due_at: datetime | None
    created_at: datetime
    overdue: bool
    question: str
    subject: str
    at: datetime
    model: Model
    contract_version: int
    answer: ShownAnswer
    choices: tuple[Choice, ...]
    inputs: tuple[ShownInput, ...]
    weights: tuple[Weight, ...]
    weights_words: str
    reasons: tuple[Reason, ...]
    share_words: str | None
    history: tuple[Happening, ...]
    notes: tuple[Note, ...]
    note_required: str
    acts: tuple[str, ...]


def show(desk: Desk, task_id: UUID, *, actor: Actor, roles: Collection[str], at: datetime) -> Case:
    """Show a task to somebody who holds these roles for its queue or model, hiding what they may not see.

    Whoever does not hold the task leaves an access entry: its payload is opened. Raises TaskMissingError,
    ErasedError.
    """
    with desk.work(actor, at) as work:
        row = tasks.get(work.session, task_id)
        if row is None:
            raise TaskMissingError("There is no such task.")
        entry = dossiers.prediction(work.session, row)
        event = dossiers.open_event(work.session, desk, entry, row.prediction_log_id)
        held = slots.held_by(work.session, task_id, UUID(actor.id))
        case = _assemble(work, row, event, held, roles)
        if held is None:
            access = f.Access(why="look", task=str(task_id))
            case_log.write(work, row, entry, "access", access)
        return case


def is_blind(row: sa.Row[Any], sees: Collection[str], roles: Collection[str]) -> bool:
    """Say whether the model's answer stays hidden from somebody with these roles while the task is open."""
    if row.status not in ("pending", "disputed"):
        return False
    allowed = set(sees) - {"reviewer"} if row.blind else set(sees)
    return allowed.isdisjoint(roles)


def is_second(reviewers: int, status: str, roles: Collection[str]) -> bool:
    """Say whether others' answers would sway this reader: where several are asked and no lead looks."""
    return reviewers > 1 and status == "pending" and set(roles) <= {"reviewer"}


def _assemble(
    work: Work, row: sa.Row[Any], event: Event, held: sa.Row[Any] | None, roles: Collection[str]
) -> Case:
    session, terms = work.session, work.desk.terms
    contract = terms.contract(session, row.model, row.contract_version)
    queue = terms.queue(session, row.queue, row.queue_version)
    blind = is_blind(row, queue.sees_model_answer, roles)
    story = stories.tell(work, row, hides_answers=blind or is_second(row.reviewers, row.status, roles))
    return Case(
        id=row.task_id,
        queue=row.queue,
        status=row.status,
        token=held and held.token,
        lease_until=held and held.until,
        due_at=row.due_at,
        created_at=row.created_at,
        overdue=row.overdue,
        question=contract.question or "What is the right answer?",
        subject=visible(event.subject or event.prediction_id),
        at=event.predicted_at,
        model=Model(contract.title or row.model, visible(event.model.version)),
        contract_version=row.contract_version,
        answer=show_answer(contract, event, blind=blind),
        choices=show_choices(contract, event, blind=blind),
        inputs=show_inputs(contract, event),
        weights=() if blind else show_weights(contract, event),
        weights_words=WEIGHTS_WORDS,
        reasons=_reasons(row, terms.policy(session, row.model, row.policy_version), blind=blind),
        share_words=share_words(row.selection_probability),
        history=story.happenings,
        notes=story.notes,
        note_required="never",
        acts=("escalate", "snooze", "flag") if queue.escalate_to else ("snooze", "flag"),
    )


def _reasons(row: sa.Row[Any], policy: Policy | None, *, blind: bool) -> tuple[Reason, ...]:
    rules = {rule.id: rule for rule in policy.rules} if policy else {}
    found = []
    for name in row.reasons:
        rule = rules.get(name)
        words = (rule.description if rule else "") or name
        if blind and rule and any(c.on in _TELLING or c.by_class for c in rule.when):
            words = HIDDEN
        found.append(Reason(words, name))
    return tuple(found)
