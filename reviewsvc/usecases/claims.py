"""What is done with a task before it is answered: claim, renew, release, put off, flag, escalate."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import sqlalchemy as sa

from reviewsvc.db import logs, slots, tasks, versions
from reviewsvc.db.slots import Claimed
from reviewsvc.domain import facts as f
from reviewsvc.domain import review
from reviewsvc.domain.case_secrets import CaseSecrets
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.queue import Queue
from reviewsvc.domain.review import Act, ReviewError, SlotState, Task
from reviewsvc.usecases import case_log, dossiers
from reviewsvc.usecases.desk import Desk, Work

MOST_AT_ONCE = 10
LONGEST_REST = timedelta(days=30)
_TRIES = 5


class Held(NamedTuple):
    """A task in a reviewer's hands: the fencing token, and until when."""

    task_id: UUID
    token: int
    lease_until: datetime


class SnoozeError(ValueError):
    """A task can not be put off until then."""

    code = "unfit_time"


def claim(
    desk: Desk, queue: str, *, actor: Actor, at: datetime, count: int = 1, skip: Collection[UUID] = ()
) -> list[Held]:
    """Take up to `count` (at most 10) of a queue's most urgent tasks, and log that their payloads are opened.

    Tasks in `skip`, held or answered before are left out. Raises QueueMissingError.
    """
    for _ in range(_TRIES):
        try:
            with desk.work(actor, at) as work:
                return _claim(work, queue, min(count, MOST_AT_ONCE), skip)
        except sa.exc.IntegrityError as error:
            # The same person claimed one of these tasks in another window at this moment.
            if not isinstance(error.orig, psycopg.errors.UniqueViolation):
                raise
    return []


def renew(desk: Desk, task_id: UUID, token: int, *, actor: Actor, at: datetime) -> Held:
    """Lengthen the lease of a task that one holds. Raises StaleClaimError, TaskClosedError."""
    with desk.work(actor, at) as work:
        row, task = dossiers.lock(work.session, task_id)
        claimed = dossiers.claim_of(task, UUID(actor.id), token)
        review.act(task, claimed, Act.RENEW)
        until = at + _lease(work, row)
        slots.renew(work.session, claimed.slot_id, until)
        return Held(task_id, token, until)


def release(desk: Desk, task_id: UUID, token: int, *, actor: Actor, at: datetime) -> None:
    """Give a task back to its queue. Raises StaleClaimError, TaskClosedError."""
    with desk.work(actor, at) as work:
        _act(work, task_id, token, Act.RELEASE)


def snooze(desk: Desk, task_id: UUID, token: int, until: datetime, *, actor: Actor, at: datetime) -> None:
    """Put a task off: nobody is given this place in it before then (at most 30 days ahead).

    Raises SnoozeError, StaleClaimError, TaskClosedError.
    """
    if not at < until <= at + LONGEST_REST:
        raise SnoozeError(f"Put it off to a time within the next {LONGEST_REST.days} days.")
    with desk.work(actor, at) as work:
        row, claimed = _act(work, task_id, token, Act.SNOOZE)
        slots.snooze(work.session, claimed.slot_id, until)
        log_move(work, row, "snoozed", until=microseconds(until))


def flag(desk: Desk, task_id: UUID, token: int, reason: str, *, actor: Actor, at: datetime) -> None:
    """Note that something is wrong with a task; it stays in one's hands.

    Raises StaleClaimError, TaskClosedError.
    """
    with desk.work(actor, at) as work:
        row, _ = _act(work, task_id, token, Act.FLAG)
        log_move(work, row, "flagged", note=reason)


def escalate(desk: Desk, task_id: UUID, token: int, reason: str, *, actor: Actor, at: datetime) -> str:
    """Hand a task to the queue that its queue's document names, and return that queue's name.

    Raises ReviewError if it names none, StaleClaimError, TaskClosedError.
    """
    with desk.work(actor, at) as work:
        row, _ = _act(work, task_id, token, Act.ESCALATE)
        target = desk.terms.queue(work.session, row.queue, row.queue_version).escalate_to
        if target is None:
            raise ReviewError(f"The queue {row.queue} names no queue to escalate to.")
        to_queue(work, row, target)
        log_move(work, row, "escalated", queue=target, note=reason)
        return target


def hand_out(work: Work, row: sa.Row[Any], task: Task) -> Held | None:
    """Give a task, whose slots are locked and saved, to who acts, if one of its places is open."""
    assert work.actor is not None
    reviewer = UUID(work.actor.id)
    place = next((slot for slot in task.slots if slot.state == SlotState.OPEN and slot.slot_id), None)
    if place is None or place.slot_id is None:
        return None
    after = review.claim(task, place.slot_id, reviewer)
    token = next(slot.token for slot in after.slots if slot.slot_id == place.slot_id)
    until = work.at + _lease(work, row)
    slots.take(work.session, place.slot_id, reviewer, token, until)
    facts = f.Access(why="claim", task=str(row.task_id))
    case_log.write(work, row, dossiers.prediction(work.session, row), "access", facts)
    return Held(row.task_id, token, until)


def to_queue(work: Work, row: sa.Row[Any], target: str) -> None:
    """Move a locked task into another queue; its priority never falls."""
    queue = versions.queue(work.session, target)
    wanted = work.desk.terms.queue(work.session, target, queue.version).priority
    priority = max(row.priority, wanted)
    slots.move(work.session, row.task_id, versions.lane(work.session, queue.queue_id), priority)
    tasks.save(work.session, row.task_id, queue_id=queue.queue_id, priority=priority, escalated=True)


def log_move(
    work: Work,
    row: sa.Row[Any],
    what: str,
    *,
    queue: str | None = None,
    until: int | None = None,
    note: str | None = None,
) -> None:
    """Log what was done with a locked task that is no answer."""
    entry = dossiers.prediction(work.session, row)
    said = dossiers.read_said(entry)
    task_id = str(row.task_id)
    facts = f.TaskMoved(task_id, said.id, said.model, what, said.predicted_at, queue=queue, until=until)
    secrets = CaseSecrets(note=note) if note else None
    case_log.write(work, row, entry, "task_moved", facts, secrets=secrets)


def _claim(work: Work, queue: str, count: int, skip: Collection[UUID]) -> list[Held]:
    assert work.actor is not None
    session, terms = work.session, work.desk.terms
    found = versions.queue(session, queue)
    until = work.at + (_minutes(terms.queue(session, queue, found.version)) or work.desk.lease)
    taken = slots.claim(session, found.queue_id, UUID(work.actor.id), count=count, until=until, skip=skip)
    if taken:
        _log_access(work, taken)
    return [Held(one.task_id, one.token, until) for one in taken]


def _log_access(work: Work, taken: Collection[Claimed]) -> None:
    heads = logs.lock_heads(work.session, {one.activity_log_id for one in taken})
    for one in taken:
        facts = f.Access(why="claim", task=str(one.task_id))
        ref = Ref(one.prediction_log, one.prediction_seq)
        head = heads[one.activity_log_id]
        logs.append(work.session, head, "access", facts, clock=work.clock, actor=work.actor, ref=ref)
    logs.save_heads(work.session, heads)


def _act(work: Work, task_id: UUID, token: int, what: Act) -> tuple[sa.Row[Any], review.Claim]:
    assert work.actor is not None
    row, task = dossiers.lock(work.session, task_id)
    claimed = dossiers.claim_of(task, UUID(work.actor.id), token)
    after = review.act(task, claimed, what)
    slots.save(work.session, row, task.slots, after.slots)
    return row, claimed


def _lease(work: Work, row: sa.Row[Any]) -> timedelta:
    return _minutes(work.desk.terms.queue(work.session, row.queue, row.queue_version)) or work.desk.lease


def _minutes(queue: Queue) -> timedelta | None:
    return None if queue.lease_minutes is None else timedelta(minutes=queue.lease_minutes)
