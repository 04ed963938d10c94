"""What a reviewer has in hand, what they answered last, and where a task is: for the desk."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from reviewsvc.db import hands
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.permissions import EVERYWHERE, Grant
from reviewsvc.domain.review import UndoError
from reviewsvc.domain.showing import answer_words
from reviewsvc.usecases.claims import Held
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.dossiers import TaskMissingError


class Place(NamedTuple):
    """Where a task is: its queue and its model."""

    queue: str
    model: str

    def roles(self, grants: Iterable[Grant]) -> frozenset[str]:
        """Return the roles that grants give here."""
        here = {EVERYWHERE, f"queue:{self.queue}", f"model:{self.model}"}
        return frozenset(grant.role for grant in grants if grant.scope in here)


class Last(NamedTuple):
    """The newest answer that can still be taken back."""

    decision_id: UUID
    words: str
    until: datetime


def held(desk: Desk, queue: str, *, actor: Actor, at: datetime) -> list[Held]:
    """Return what somebody holds in a queue, what they took last first."""
    with desk.sessions.begin() as session:
        found = hands.held(session, queue, UUID(actor.id), at)
        return [Held(row.task_id, row.token, row.until) for row in found]


def adopt(desk: Desk, claims: Iterable[Held], *, actor: Actor) -> list[Held]:
    """Take over, for a page just opened, claims of a page before: each gets its next token.

    The page that is left gives back what it had ahead, and its word may come after the new page's.
    """
    with desk.sessions.begin() as session:
        tokens = [(one, hands.adopt(session, one.task_id, UUID(actor.id), one.token)) for one in claims]
    return [one._replace(token=token) for one, token in tokens if token is not None]


def last(desk: Desk, queue: str, *, actor: Actor, at: datetime) -> Last | None:
    """Return somebody's newest answer in a queue, if it can still be taken back."""
    with desk.sessions.begin() as session:
        longest = microseconds(at - timedelta(days=1))
        row = hands.last_decision(session, queue, UUID(actor.id), longest)
        if row is None:
            return None
        minutes = desk.terms.queue(session, row.queue, row.queue_version).undo_minutes
        until = moment(row.at) + (desk.undo if minutes is None else timedelta(minutes=minutes))
        contract = desk.terms.contract(session, row.model, row.contract_version)
    said = answer_words(contract, row.label, row.value) or "your text"
    words = f"{'Agreed' if row.agreed else 'Answered'}: {said}"
    return Last(row.decision_id, words, until) if until > at else None


def place(desk: Desk, task_id: UUID) -> Place:
    """Return where a task is. Raises TaskMissingError."""
    with desk.sessions.begin() as session:
        row = hands.place(session, task_id)
    if row is None:
        raise TaskMissingError("There is no such task.")
    return Place(row.queue, row.model)


def place_of_decision(desk: Desk, decision_id: UUID) -> Place:
    """Return where the task of a decision is. Raises UndoError if there is no such decision."""
    with desk.sessions.begin() as session:
        task_id = hands.decided_task(session, decision_id)
    if task_id is None:
        raise UndoError("There is no such decision.")
    return place(desk, task_id)
