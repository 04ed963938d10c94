"""What one reviewer has in hand in a queue, and what they answered last."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run

_HELD: Final = sa.text("""
SELECT slot.task_id, slot.token, lease.until FROM slot
JOIN task USING (task_id) JOIN queue USING (queue_id) JOIN lease USING (slot_id)
WHERE slot.reviewer_id = :reviewer AND slot.state = 'claimed' AND queue.name = :queue AND lease.until > :at
ORDER BY lease.until DESC, slot.slot_id
""")

_ADOPT: Final = (
    "UPDATE slot SET token = token + 1 WHERE task_id = %(task_id)s AND reviewer_id = %(reviewer)s "
    "AND token = %(token)s AND state = 'claimed' RETURNING token"
)

_LAST: Final = sa.text("""
SELECT decision.decision_id, decision.label, decision.value, decision.agreed, decision.at,
       model.name AS model, task.contract_version, queue.name AS queue, queue.version AS queue_version
FROM decision JOIN task USING (task_id) JOIN queue USING (queue_id) JOIN model USING (model_id)
WHERE decision.reviewer_id = :reviewer AND decision.at >= :since AND decision.retracted_seq IS NULL
  AND decision.kind = 'review' AND queue.name = :queue
  AND NOT EXISTS (
    SELECT FROM decision ruling WHERE ruling.task_id = task.task_id AND ruling.kind = 'adjudication')
ORDER BY decision.at DESC LIMIT 1
""")

_PLACE: Final = (
    "SELECT q.name AS queue, m.name AS model FROM task t JOIN queue q USING (queue_id) "
    "JOIN model m USING (model_id) WHERE t.task_id = %(task_id)s"
)


def held(session: Session, queue: str, reviewer: UUID, at: datetime) -> list[sa.Row[Any]]:
    """Return what a reviewer holds in a queue (task_id, token, until), what was taken last first."""
    return list(session.execute(_HELD, {"queue": queue, "reviewer": reviewer, "at": at}))


def adopt(session: Session, task_id: UUID, reviewer: UUID, token: int) -> int | None:
    """Give a reviewer's claim its next token and return it; None if the claim has ended meanwhile."""
    asked = {"task_id": task_id, "reviewer": reviewer, "token": token}
    found = run(session, _ADOPT, asked).first()
    return None if found is None else int(found.token)


def last_decision(session: Session, queue: str, reviewer: UUID, since_us: int) -> sa.Row[Any] | None:
    """Return a reviewer's newest decision in a queue since a moment, unless it stands for good."""
    return session.execute(_LAST, {"queue": queue, "reviewer": reviewer, "since": since_us}).first()


def place(session: Session, task_id: UUID) -> sa.Row[Any] | None:
    """Return the names of a task's queue and model."""
    return run(session, _PLACE, {"task_id": task_id}).first()


def decided_task(session: Session, decision_id: UUID) -> UUID | None:
    """Return the task of a decision."""
    wanted = sa.select(t.decision.c.task_id).where(t.decision.c.decision_id == decision_id)
    found: UUID | None = session.scalar(wanted)
    return found
