"""Health of all logs on one page: size, sealed, anchored, verified, and how each has grown."""

from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, render_template

from reviewsvc.domain.anchoring import KEPT, State
from reviewsvc.domain.moments import microseconds, moment_of
from reviewsvc.usecases import log_lists
from reviewsvc.usecases.log_lists import Growth, LogState
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("audit-logs", __name__)

_WIDTH: Final = 120
_HEIGHT: Final = 32
# So soon after it was written an entry is sealed, or the sealer is behind.
_SOON: Final = timedelta(seconds=10)


@blueprint.get("/audit/logs")
@permission("entries.read")
def show() -> str:
    """Show every log, the root first."""
    held = services()
    found = log_lists.states(held.desk)
    return render_template(
        "audit_logs.html",
        logs=[_row(log, held.clock()) for log in found.logs],
        total=found,
        verified=found.verified,
        troubles=found.troubles,
        anchors=[_anchor(each, held.clock()) for each in found.anchored.anchors],
        unanchored_since=moment_of(found.anchored.since),
    )


def _row(log: LogState, at: datetime) -> dict[str, Any]:
    is_late = log.unsealed_since is not None and at - log.unsealed_since > _SOON
    return log._asdict() | {"points": _points(log.growth, at) if log.growth else None, "is_late": is_late}


def _anchor(state: State, at: datetime) -> dict[str, Any]:
    """Say how far an anchor is: `behind` is how many entries of the root log it lacks."""
    return {
        "name": state.name,
        "kind": state.kind.replace("_", " "),
        "place": state.place,
        "size": state.size,
        "behind": state.sealed - state.size,
        "kept_at": moment_of(state.kept_at),
        "since": moment_of(state.since),
        "is_late": state.is_late(microseconds(at)),
        "trouble": state.why if state.outcome not in {None, KEPT} else None,
    }


def _points(growth: Growth, at: datetime) -> str:
    """Draw a log's growth from its first entry until now into a picture of 120 by 32."""
    (began, _), (_, size) = growth.points[0], growth.points[-1]
    length = max((at - began).total_seconds(), 1)
    ends = [*growth.points, (at, size)]
    places = [((each - began).total_seconds() / length * _WIDTH, amount) for each, amount in ends]
    return " ".join(f"{min(x, _WIDTH):.1f},{_HEIGHT - amount / size * _HEIGHT:.1f}" for x, amount in places)
