"""How far the anchors are: who has the newest checkpoint of the root log, and since when others lack it."""

from typing import NamedTuple

from reviewsvc.db import anchors as rows
from reviewsvc.db import installations
from reviewsvc.db.anchors import Anchoring
from reviewsvc.db.sessions import Session
from reviewsvc.domain.anchoring import State, unanchored_since


class Anchored(NamedTuple):
    """How far the root log is sealed; since when no anchor has that, in microseconds; each anchor's state."""

    sealed: int
    since: int | None
    anchors: list[State]


def state(session: Session) -> list[State]:
    """Return each configured anchor's state, by name; empty if none is configured or the worker never ran."""
    return overview(session).anchors


def overview(session: Session) -> Anchored:
    """Return how far the root log is anchored, by all anchors together and by each."""
    root_ids = installations.newest_logs(session, "root")
    newest = rows.newest_root(session, root_ids[0]) if root_ids else None
    if newest is None:
        return Anchored(0, None, [_state(session, each, None) for each in rows.configured(session)])
    states = [_state(session, each, newest) for each in rows.configured(session)]
    first = rows.first_behind(session, newest.log_id, 0)
    return Anchored(newest.size, unanchored_since(states, first.at if first else None), states)


def _state(session: Session, row: Anchoring, newest: rows.SignedRoot | None) -> State:
    size = row.size if newest is not None and row.log_id == newest.log_id else 0
    behind = None if newest is None else rows.first_behind(session, newest.log_id, size)
    return State(
        name=row.name,
        kind=row.kind,
        place=row.place,
        every_s=row.every_s,
        size=size,
        sealed=newest.size if newest else 0,
        kept_at=row.kept_at,
        tried_at=row.tried_at,
        failures=row.failures,
        outcome=row.outcome,
        why=row.why,
        since=behind.at if behind else None,
    )
