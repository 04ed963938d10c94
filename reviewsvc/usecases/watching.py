"""Figures for whoever watches the house: what waits in queues, and how far sealing is behind."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from prometheus_client import Gauge

from reviewsvc.db import figures, seals, versions
from reviewsvc.db.figures import Depth
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.facts import UNEVENTFUL
from reviewsvc.domain.moments import microseconds

_SECOND_US: Final = 1_000_000
_TASKS = Gauge("reviewsvc_queue_tasks", "Tasks that are not over, by queue.", ["queue", "state"])
_OLDEST = Gauge("reviewsvc_queue_oldest_seconds", "Age of the oldest task that is not over.", ["queue"])
_UNSEALED = Gauge("reviewsvc_unsealed_entries", "Entries that are stored and not sealed yet.")
_UNSEALED_FOR = Gauge("reviewsvc_unsealed_seconds", "How long the oldest entry has waited for its seal.")
_STATES: Final[dict[str, Callable[[Depth], int]]] = {
    "pending": lambda depth: depth.pending,
    "due_soon": lambda depth: depth.due_soon,
    "overdue": lambda depth: depth.overdue,
    "disputed": lambda depth: depth.disputed,
}


def step(sessions: Sessions, at: datetime) -> int:
    """Set the figures; return 0, since counting leaves nothing to do."""
    with sessions.begin() as session:
        known = figures.depths(session, at)
        for row in versions.queues(session):
            _show(row.name, known.get(row.queue_id, Depth(row.queue_id)), at)
    _watch_seals(sessions, microseconds(at))
    return 0


def _show(queue: str, depth: Depth, at: datetime) -> None:
    for state, count in _STATES.items():
        _TASKS.labels(queue, state).set(count(depth))
    _OLDEST.labels(queue).set((at - depth.oldest_at).total_seconds() if depth.oldest_at else 0)


def _watch_seals(sessions: Sessions, now: int) -> None:
    """What anchoring and verifying write waits for the next seal on purpose, and counts as no delay."""
    with sessions.begin() as session:
        conn = Sessions.psycopg(session)
        grown = stored.grown(conn) if seals.is_signed(session) else []
        waiting = stored.oldest_unsealed(conn, UNEVENTFUL) if grown else None
    _UNSEALED.set(sum(each.size - each.sealed for each in grown if each.kind != "root"))
    _UNSEALED_FOR.set(0 if waiting is None else max(0, now - waiting) / _SECOND_US)
