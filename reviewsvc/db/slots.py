"""Slots: handed out under a lease with a fencing token, freed, and locked together with their task."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain.review import Slot, SlotState

_WINDOW: Final = 200
_ANY: Final = 1_000
_MOST_AT_ONCE: Final = 500


class Claimed(NamedTuple):
    """A slot just handed out, with what is needed to open and log the prediction behind it."""

    slot_id: int
    task_id: UUID
    token: int
    model_id: int
    activity_log_id: int
    prediction_log: str
    prediction_seq: int


# Every lane's most urgent places are read without a lock, then as many as wanted are locked without waiting:
# whoever is at the same place at the same moment takes the next ones. Places of one task stand side by side;
# `nth` keeps one person from taking two of them. OFFSET 0 keeps the planner from reading all that the person
# ever answered instead of asking the index once per candidate.
_CLAIM: Final = """
WITH front AS MATERIALIZED (
    SELECT near.* FROM lane CROSS JOIN LATERAL (
        SELECT slot.slot_id, slot.task_id FROM slot
        WHERE slot.lane_id = lane.lane_id AND slot.state = 'open'
          AND slot.task_id <> ALL (%(skip)s::uuid[])
          AND NOT EXISTS (
              SELECT FROM slot mine
              WHERE mine.task_id = slot.task_id AND mine.reviewer_id = %(reviewer)s OFFSET 0)
        ORDER BY slot.priority DESC, slot.due_at, slot.slot_id LIMIT %(window)s
    ) near WHERE lane.queue_id = %(queue)s
), ranked AS (
    SELECT slot_id, row_number() OVER (PARTITION BY task_id ORDER BY slot_id) AS nth FROM front
), chosen AS (
    SELECT slot.slot_id FROM slot JOIN ranked USING (slot_id)
    WHERE slot.state = 'open' AND ranked.nth <= %(nth)s
    ORDER BY slot.priority DESC, slot.due_at, slot.slot_id
    LIMIT %(count)s FOR UPDATE OF slot SKIP LOCKED
), taken AS (
    UPDATE slot SET state = 'claimed', reviewer_id = %(reviewer)s, token = token + 1
    FROM chosen WHERE slot.slot_id = chosen.slot_id
    RETURNING slot.slot_id, slot.task_id, slot.token, slot.priority, slot.due_at
), leased AS (
    INSERT INTO lease (slot_id, until) SELECT slot_id, %(until)s FROM taken
    ON CONFLICT (slot_id) DO UPDATE SET until = EXCLUDED.until
)
SELECT taken.slot_id, taken.task_id, taken.token, task.model_id, task.activity_log_id,
       log.name, task.prediction_seq
FROM taken JOIN task USING (task_id) JOIN log ON log.log_id = task.prediction_log_id
ORDER BY taken.priority DESC, taken.due_at, taken.slot_id
"""

_OF_TASK: Final = (
    "SELECT slot_id, state, reviewer_id, token FROM slot WHERE task_id = %(task_id)s "
    "ORDER BY slot_id FOR UPDATE"
)
_WRITE: Final = (
    "UPDATE slot SET state = %(state)s, reviewer_id = %(reviewer_id)s, token = %(token)s "
    "WHERE slot_id = %(slot_id)s"
)
_WRITE_AND_END: Final = f"WITH ended AS (DELETE FROM lease WHERE slot_id = %(slot_id)s) {_WRITE}"
_HELD_BY: Final = (
    "SELECT slot.token, lease.until FROM slot JOIN lease USING (slot_id) WHERE slot.task_id = %(task_id)s "
    "AND slot.reviewer_id = %(reviewer)s AND slot.state = 'claimed'"
)

_EXPIRED: Final = sa.text("""
SELECT slot.slot_id FROM lease JOIN slot USING (slot_id)
WHERE lease.until <= :at AND slot.state = 'claimed'
ORDER BY slot.slot_id LIMIT :most FOR UPDATE OF slot SKIP LOCKED
""")

_WAKE: Final = sa.text("""
UPDATE slot SET state = 'open', snoozed_until = NULL
WHERE slot_id IN (
    SELECT slot_id FROM slot WHERE state = 'snoozed' AND snoozed_until <= :at
    ORDER BY slot_id LIMIT :most FOR UPDATE SKIP LOCKED
)
RETURNING task_id
""")


def claim(
    session: Session,
    queue_id: int,
    reviewer: UUID,
    *,
    count: int,
    until: datetime,
    skip: Collection[UUID] = (),
) -> list[Claimed]:
    """Hand out up to `count` open slots of different tasks, the most urgent first.

    Never one of a task that the reviewer holds or has answered; IntegrityError if the same reviewer claimed
    the same task elsewhere at this moment: try again.
    """
    asked = {
        "queue": queue_id,
        "reviewer": reviewer,
        "until": until,
        "skip": list(skip),
        "window": _WINDOW,
    }
    found = run(session, _CLAIM, {**asked, "count": count, "nth": 1}).all()
    if not found:
        # The first places of these tasks may be taken at this moment; one of the others is as good.
        found = run(session, _CLAIM, {**asked, "count": 1, "nth": _ANY}).all()
    return [Claimed._make(row) for row in found]


def take(session: Session, slot_id: int, reviewer: UUID, token: int, until: datetime) -> None:
    """Give an open slot, which is locked, to a reviewer."""
    values = {"state": SlotState.CLAIMED.value, "reviewer_id": reviewer, "token": token}
    session.execute(sa.update(t.slot).where(t.slot.c.slot_id == slot_id).values(values))
    renew(session, slot_id, until)


def of_task(session: Session, task_id: UUID) -> tuple[Slot, ...]:
    """Lock a task's slots, in the order of their ids, and return them."""
    found = run(session, _OF_TASK, {"task_id": task_id})
    return tuple(Slot(row.slot_id, SlotState(row.state), row.reviewer_id, row.token) for row in found)


def save(session: Session, task: sa.Row[Any], before: Sequence[Slot], after: Iterable[Slot]) -> None:
    """Write the slots that changed, end the leases of those no longer held, and add the new ones."""
    known = {slot.slot_id: slot for slot in before}
    for slot in after:
        if slot.slot_id is None:
            _add(session, task)
        elif slot != known[slot.slot_id]:
            _write(session, slot)


def renew(session: Session, slot_id: int, until: datetime) -> None:
    """Lengthen the lease of a slot, which is locked."""
    lease = insert(t.lease).values(slot_id=slot_id, until=until)
    session.execute(lease.on_conflict_do_update(index_elements=["slot_id"], set_={"until": until}))


def snooze(session: Session, slot_id: int, until: datetime) -> None:
    """Say when a slot that is being put off comes back."""
    session.execute(sa.update(t.slot).where(t.slot.c.slot_id == slot_id).values(snoozed_until=until))


def move(session: Session, task_id: UUID, lane_id: int, priority: int) -> None:
    """Put a task's slots into another lane, at a priority."""
    moved = sa.update(t.slot).where(t.slot.c.task_id == task_id)
    session.execute(moved.values(lane_id=lane_id, priority=priority))


def expire(session: Session, at: datetime) -> int:
    """Open the slots whose lease has ended, a few hundred at once; return how many."""
    locked = list(session.scalars(_EXPIRED, {"at": at, "most": _MOST_AT_ONCE}))
    # A lease may have been renewed after it was read, before its slot was locked: ask again, under the lock.
    ended = (t.lease.c.slot_id.in_(locked), t.lease.c.until <= at)
    gone = list(session.scalars(sa.delete(t.lease).where(*ended).returning(t.lease.c.slot_id)))
    session.execute(
        sa.update(t.slot).where(t.slot.c.slot_id.in_(gone)).values(state="open", reviewer_id=None)
    )
    return len(gone)


def wake(session: Session, at: datetime) -> int:
    """Open the slots whose rest is over, a few hundred at once; return how many."""
    return len(session.execute(_WAKE, {"at": at, "most": _MOST_AT_ONCE}).all())


def held_by(session: Session, task_id: UUID, reviewer: UUID) -> sa.Row[Any] | None:
    """Return the token of the slot that a person holds in a task, and until when; None if they hold none."""
    return run(session, _HELD_BY, {"task_id": task_id, "reviewer": reviewer}).first()


def _write(session: Session, slot: Slot) -> None:
    values = {
        "slot_id": slot.slot_id,
        "state": slot.state.value,
        "reviewer_id": slot.reviewer,
        "token": slot.token,
    }
    run(session, _WRITE if slot.state == SlotState.CLAIMED else _WRITE_AND_END, values)


def _add(session: Session, task: sa.Row[Any]) -> None:
    lane = sa.select(sa.func.min(t.lane.c.lane_id)).where(t.lane.c.queue_id == task.queue_id)
    values = {"task_id": task.task_id, "priority": task.priority, "due_at": task.due_at}
    session.execute(sa.insert(t.slot).values(**values, lane_id=lane.scalar_subquery()))
