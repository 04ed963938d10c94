"""The list of queues."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from reviewsvc.usecases import queues
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.queues import QueueFigures
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("queues", __name__)

_ABOUT: Final = 140


@blueprint.get("/queues")
@permission("queues.see")
def show() -> str:
    """Show the queues that this person may see."""
    found = signed_in()
    seen = visible(found)
    day = {"decided": sum(each.mine.decided for each in seen)}
    return render_template("queues.html", queues=rows(found, seen), day=day)


@blueprint.get("/queues/rows")
@permission("queues.see", is_passive=True)
def renew() -> ResponseReturnValue:
    """Return the rows again, or 304 if they are the same."""
    found = signed_in()
    answer = make_response(render_template("parts/queue_rows.html", queues=rows(found, visible(found))))
    answer.add_etag(weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer.make_conditional(request)


def visible(found: Current) -> list[QueueFigures]:
    """Return the queues that a person may see."""
    held, reach = services(), found.reach("queues.see")
    listed = queues.list_queues(held.desk, held.depths, reviewer=found.person.person_id, at=held.clock())
    return [each for each in listed if reach.covers(queue=each.queue.name)]


def rows(found: Current, seen: Sequence[QueueFigures]) -> list[dict[str, Any]]:
    """Return queues as the page shows them."""
    return [_row(each, may_review=found.may("tasks.claim", queue=each.queue.name)) for each in seen]


def _row(each: QueueFigures, *, may_review: bool) -> dict[str, Any]:
    about = each.queue.instructions.strip().partition("\n")[0]
    return {
        "name": each.queue.name,
        "title": each.queue.title,
        "about": about if len(about) <= _ABOUT else f"{about[:_ABOUT].rpartition(' ')[0]} …",
        "pending": each.depth.pending,
        "due_soon": each.depth.due_soon,
        "overdue": each.depth.overdue,
        "oldest_at": each.depth.oldest_at,
        "held": each.mine.held,
        "decided_today": each.mine.decided,
        "may_review": may_review,
    }
