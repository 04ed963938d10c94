"""Figures of queues, counted from the rows."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

SOON: Final = timedelta(hours=1)


class Depth(NamedTuple):
    """What waits in a queue: tasks that want an answer, those due within the hour, overdue, disputed."""

    queue_id: int
    pending: int = 0
    due_soon: int = 0
    overdue: int = 0
    disputed: int = 0
    oldest_at: datetime | None = None


class Share(NamedTuple):
    """One person's part in a queue: slots held now, and decisions that stand since a moment."""

    held: int = 0
    decided: int = 0


_DEPTHS: Final = sa.text("""
SELECT queue_id,
    count(*) FILTER (WHERE status = 'pending'),
    count(*) FILTER (WHERE due_at > :at AND due_at <= :soon),
    count(*) FILTER (WHERE due_at <= :at),
    count(*) FILTER (WHERE status = 'disputed'),
    min(created_at)
FROM task WHERE status IN ('pending', 'disputed') GROUP BY queue_id
""")

_HELD: Final = sa.text("""
SELECT task.queue_id, count(*) FROM slot JOIN task USING (task_id)
WHERE slot.reviewer_id = :reviewer AND slot.state = 'claimed' GROUP BY task.queue_id
""")

_DECIDED: Final = sa.text("""
SELECT task.queue_id, count(*) FROM decision JOIN task USING (task_id)
WHERE decision.reviewer_id = :reviewer AND decision.at >= :since AND decision.retracted_seq IS NULL
GROUP BY task.queue_id
""")


def depths(session: Session, at: datetime) -> dict[int, Depth]:
    """Count what waits, by queue id; queues in which nothing waits are absent."""
    found = session.execute(_DEPTHS, {"at": at, "soon": at + SOON})
    return {row[0]: Depth(*row) for row in found}


def shares(session: Session, reviewer: UUID, since_us: int) -> dict[int, Share]:
    """Count what one person holds and has decided since a moment (microseconds), by queue id."""
    held = {row[0]: row[1] for row in session.execute(_HELD, {"reviewer": reviewer})}
    done = {"reviewer": reviewer, "since": since_us}
    decided = {row[0]: row[1] for row in session.execute(_DECIDED, done)}
    return {queue: Share(held.get(queue, 0), decided.get(queue, 0)) for queue in held.keys() | decided.keys()}
