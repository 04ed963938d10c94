"""Queues with their figures."""

import time
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from reviewsvc.db import figures, versions
from reviewsvc.db.figures import Depth, Share
from reviewsvc.db.sessions import Session
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.queue import Queue
from reviewsvc.usecases.desk import Desk

LONGEST_KEPT_SECONDS = 10.0
_TIMES_ITS_COST = 20


class QueueFigures(NamedTuple):
    """A queue, what waits in it, and one person's part since the day began (UTC)."""

    queue_id: int
    queue: Queue
    depth: Depth
    mine: Share


class Depths:
    """What waits in all queues, counted again when the last count is older than 20 times what it cost.

    At most 10 s old; so that a page costs little with a million tasks, and is exact with a few.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[int, Depth] = {}
        self._good_until = 0.0

    def get(self, session: Session, at: datetime) -> dict[int, Depth]:
        """Return what waits, by queue id."""
        with self._lock:
            began = time.monotonic()
            if began >= self._good_until:
                self._known = figures.depths(session, at)
                ended = time.monotonic()
                kept = min((ended - began) * _TIMES_ITS_COST, LONGEST_KEPT_SECONDS)
                self._good_until = ended + kept
            return self._known


def list_queues(desk: Desk, depths: Depths, *, reviewer: UUID, at: datetime) -> list[QueueFigures]:
    """Return all queues in the order of their names; whoever shows them leaves out what may not be seen."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with desk.sessions.begin() as session:
        known = depths.get(session, at)
        mine = figures.shares(session, reviewer, microseconds(midnight))
        return [
            QueueFigures(
                row.queue_id,
                desk.terms.queue(session, row.name, row.version),
                known.get(row.queue_id, Depth(row.queue_id)),
                mine.get(row.queue_id, Share()),
            )
            for row in versions.queues(session)
        ]


def get_queue(desk: Desk, depths: Depths, name: str, *, reviewer: UUID, at: datetime) -> QueueFigures:
    """Return one queue. Raises QueueMissingError."""
    with desk.sessions.begin() as session:
        versions.queue(session, name)
    listed = list_queues(desk, depths, reviewer=reviewer, at=at)
    return next(each for each in listed if each.queue.name == name)
