"""Queues: what waits in them, and taking tasks from them."""

from typing import Any

from flask_smorest import Blueprint

from reviewsvc.api import task_schemas as s
from reviewsvc.usecases import claims, queues
from reviewsvc.usecases.claims import Held
from reviewsvc.usecases.queues import QueueFigures
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint(
    "api-queues", __name__, url_prefix="/api/v1", description="Queues and what waits in them"
)


@blueprint.get("/queues")
@blueprint.response(200, s.Queues)
@permission("queues.see")
def page() -> dict[str, Any]:
    """List the queues that may be seen, with their figures."""
    found, held = signed_in(), services()
    reach = found.reach("queues.see")
    person = found.person.person_id
    listed = queues.list_queues(held.desk, held.depths, reviewer=person, at=held.clock())
    return {"items": [_shown(one) for one in listed if reach.covers(queue=one.queue.name)], "next": None}


@blueprint.get("/queues/<queue>")
@blueprint.response(200, s.Queue)
@permission("queues.see", queue="queue")
def get(queue: str) -> dict[str, Any]:
    """Show a queue."""
    held, person = services(), signed_in().person.person_id
    return _shown(queues.get_queue(held.desk, held.depths, queue, reviewer=person, at=held.clock()))


@blueprint.post("/queues/<queue>/claims")
@blueprint.arguments(s.Claim)
@blueprint.response(201, s.Claimed)
@permission("tasks.claim", queue="queue")
def claim(asked: dict[str, Any], queue: str) -> dict[str, Any]:
    """Take the most urgent tasks of a queue; nobody else is given them while the lease lasts."""
    held = services()
    taken = claims.claim(
        held.desk,
        queue,
        actor=signed_in().actor,
        at=held.clock(),
        count=asked["count"],
        skip=asked["skip"],
    )
    return {"items": [held_task(one) for one in taken]}


def held_task(held: Held) -> dict[str, Any]:
    """A task in somebody's hands, as the API says it."""
    return {"task": held.task_id, "token": held.token, "lease_until": held.lease_until}


def _shown(one: QueueFigures) -> dict[str, Any]:
    return {
        **{name: getattr(one.queue, name) for name in ("name", "title", "instructions")},
        **one.depth._asdict(),
        "held": one.mine.held,
        "decided_today": one.mine.decided,
    }
