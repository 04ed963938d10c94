"""What keeps steps of the worker from their work, for people who do not read its log lines."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t


class Trouble(NamedTuple):
    """A step that fails, since when, and why."""

    step: str
    since: datetime
    why: str


def note(session: Session, step: str, why: str, at: datetime) -> None:
    """Keep why a step fails, since its first failure; without a reason it works again."""
    if not why:
        session.execute(sa.delete(t.step_trouble).where(t.step_trouble.c.step == step))
        return
    made = insert(t.step_trouble).values(step=step, since=at, why=why)
    session.execute(made.on_conflict_do_update(index_elements=["step"], set_={"why": why}))


def troubles(session: Session) -> list[Trouble]:
    """Return the steps that fail, by name."""
    columns = [t.step_trouble.c[name] for name in Trouble._fields]
    return [Trouble._make(row) for row in session.execute(sa.select(*columns).order_by(columns[0]))]
