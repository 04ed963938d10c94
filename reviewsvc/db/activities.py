"""Rows of `activity`, the newest first."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.tables import activity
from reviewsvc.domain.projections import ActivityRow


class Cursor(NamedTuple):
    """The last act of a page: the next page begins before it."""

    at: int
    log_id: int
    seq: int


_ROW = [activity.c[name] for name in ActivityRow._fields]
_PLACE = sa.tuple_(activity.c.at, activity.c.log_id, activity.c.seq)


def recent(
    session: Session,
    before: Cursor | None,
    limit: int,
    *,
    kinds: Collection[str] | None = None,
    actors: Collection[str] | None = None,
    between: tuple[int | None, int | None] = (None, None),
) -> list[ActivityRow]:
    """Return the last acts, before a cursor, of some kinds, by some actors, if these are given.

    `between` are microseconds, the second one left out.
    """
    newest = (activity.c.at.desc(), activity.c.log_id.desc(), activity.c.seq.desc())
    wanted = sa.select(*_ROW).order_by(*newest).limit(limit)
    if before is not None:
        # The plain condition on `at` lets the index begin there.
        wanted = wanted.where(activity.c.at <= before.at, sa.tuple_(*map(sa.literal, before)) > _PLACE)
    since, until = between
    if since is not None:
        wanted = wanted.where(activity.c.at >= since)
    if until is not None:
        wanted = wanted.where(activity.c.at < until)
    if kinds is not None:
        wanted = wanted.where(activity.c.kind.in_(kinds))
    if actors is not None:
        wanted = wanted.where(activity.c.actor.in_(actors))
    return [ActivityRow(*row) for row in session.execute(wanted)]


def of_task(session: Session, task_id: UUID) -> list[ActivityRow]:
    """Return what was done with a task, the oldest first."""
    wanted = sa.select(*_ROW).where(activity.c.task_id == task_id)
    return [ActivityRow(*row) for row in session.execute(wanted.order_by(activity.c.at, activity.c.seq))]
