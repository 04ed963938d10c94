"""Tasks as lists show them, without opening their payloads."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from reviewsvc.db import tasks as rows
from reviewsvc.db.tasks import TaskFilter
from reviewsvc.usecases.desk import Desk

__all__ = ["Listed", "TaskFilter", "page"]


class Listed(NamedTuple):
    """A task as a list shows it: nothing of the prediction, and nothing of what the model said."""

    task_id: UUID
    queue: str
    model: str
    status: str
    priority: int
    reviewers: int
    blind: bool
    rule: str
    reasons: list[str]
    selection_probability: float | None
    created_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    overdue: bool
    escalated: bool


def page(desk: Desk, wanted: TaskFilter, *, after: UUID | None, limit: int) -> list[Listed]:
    """Return tasks in the order in which they were made, after one of them."""
    with desk.sessions.begin() as session:
        found = rows.list_page(session, wanted, after=after, limit=limit)
        return [Listed._make(getattr(row, name) for name in Listed._fields) for row in found]
