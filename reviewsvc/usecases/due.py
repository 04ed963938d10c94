"""What time does to tasks: leases end, rests are over, due times pass."""

from datetime import datetime
from uuid import UUID

import msgspec

from reviewsvc.db import slots, tasks
from reviewsvc.domain import facts as f
from reviewsvc.domain import review
from reviewsvc.domain.queue import WhenDue
from reviewsvc.domain.review import Act, Status
from reviewsvc.usecases import case_log, claims, dossiers
from reviewsvc.usecases.answers import close, final_facts
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.dossiers import ErasedError

_MOST_AT_ONCE = 100
_NOT_DUE = (Status.DECIDED, Status.DEFAULTED, Status.WITHDRAWN)


def lease_step(desk: Desk, *, at: datetime) -> int:
    """Give back what is held by leases that have ended, and what was put off until now; return how many."""
    with desk.sessions.begin() as session:
        return slots.expire(session, at) + slots.wake(session, at)


def due_step(desk: Desk, *, at: datetime) -> int:
    """Do with tasks whose due time has passed what their queue says, each in a transaction of its own.

    They wait, go to another queue, or end with the model's answer, which is never a label. Returns how many.
    One task that cannot be moved keeps no other from its turn; what hindered it is raised at the end.
    """
    with desk.sessions.begin() as session:
        late = tasks.due(session, at, _MOST_AT_ONCE)
    faults: list[Exception] = []
    for task_id in late:
        try:
            with desk.work(None, at) as work:
                _pass(work, task_id)
        except Exception as fault:  # noqa: BLE001 - told below, once the others have had their turn
            faults.append(fault)
    if faults:
        raise faults[0]
    return len(late)


def _pass(work: Work, task_id: UUID) -> None:
    row, task = dossiers.lock(work.session, task_id)
    if row.overdue or row.due_at > work.at or task.status in _NOT_DUE:
        return
    tasks.save(work.session, task_id, overdue=True)
    queue = work.desk.terms.queue(work.session, row.queue, row.queue_version)
    if queue.when_due is WhenDue.DEFAULTED:
        _default(work, task_id)
    elif queue.when_due is WhenDue.ESCALATE and queue.escalate_to is not None:
        claims.to_queue(work, row, queue.escalate_to)
        claims.log_move(work, row, "escalated", queue=queue.escalate_to)
    else:
        claims.log_move(work, row, "overdue")


def _default(work: Work, task_id: UUID) -> None:
    try:
        case = dossiers.lock_opened(work.session, work.desk, task_id)
    except ErasedError:
        # Erasing its subject closes the task; nothing can be said of it before that.
        return
    after = review.end(case.task, Act.DEFAULT)
    answer = case.model_answer
    facts = f.TaskMoved(
        task=str(task_id),
        id=case.said.id,
        model=case.said.model,
        move="defaulted",
        predicted_at=case.said.predicted_at,
        final=final_facts("defaulted", case, answer),
    )
    secrets = msgspec.structs.replace(case.secrets, text=answer.text)
    place = case_log.write(work, case.row, case.entry, "task_moved", facts, secrets=secrets)
    slots.save(work.session, case.row, case.task.slots, after.slots)
    close(work, case, answer, place, after.status)
