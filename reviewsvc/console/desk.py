"""The desk of a queue: the case in hand, cards ahead, leases renewed and given back."""

from contextlib import suppress
from typing import Final
from uuid import UUID

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from reviewsvc.console import queues as listed
from reviewsvc.console.cards import Card, cards, day, figures, heading, html
from reviewsvc.console.forms import number, whole
from reviewsvc.domain.review import ReviewError
from reviewsvc.usecases import claims, hands
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.claims import MOST_AT_ONCE
from reviewsvc.usecases.dossiers import TaskMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("desk", __name__)

PREFETCH: Final = 3
_ELSEWHERE: Final = 3
_MOST_CLAIMS: Final = 50


@blueprint.get("/queues/<queue>/desk")
@permission("tasks.claim", queue="queue")
def desk(queue: str) -> str:
    """Show the case in hand, else the next one, claimed now."""
    found = signed_in()
    shown = figures(found, queue)
    case = _next_card(found, queue)
    return render_template(
        "desk.html",
        queue=heading(shown),
        day=day(shown),
        case=case,
        last=_last(found, queue),
        refused=None,
        elsewhere=_elsewhere(found, queue),
        prefetch=PREFETCH,
    )


@blueprint.post("/queues/<queue>/cards")
@permission("tasks.claim", queue="queue", is_passive=True)
def more(queue: str) -> str:
    """Return cards: first what is in this person's hands and was not named, then new ones."""
    found, held = signed_in(), services()
    count = whole("count", lowest=1, highest=MOST_AT_ONCE)
    named = {_uuid(text) for text in request.form.getlist("held")[:_MOST_CLAIMS]}
    mine = hands.held(held.desk, queue, actor=found.actor, at=held.clock())
    unnamed = [one for one in mine if one.task_id not in named][:count]
    in_hand = hands.adopt(held.desk, unnamed, actor=found.actor) if unnamed else []
    if len(in_hand) < count:
        skip = named | {one.task_id for one in mine}
        in_hand += claims.claim(
            held.desk, queue, actor=found.actor, at=held.clock(), count=count - len(in_hand), skip=skip
        )
    return html(cards(found, in_hand, queue), figures(found, queue))


@blueprint.post("/queues/<queue>/renew")
@permission("tasks.claim", queue="queue", is_passive=True)
def renew(queue: str) -> ResponseReturnValue:  # noqa: ARG001 - the permission is looked up by it
    """Lengthen leases, and say which are lost."""
    found, held = signed_in(), services()
    lost, until = [], []
    for task_id, token in _claims():
        try:
            kept = claims.renew(held.desk, task_id, token, actor=found.actor, at=held.clock())
            until.append(kept.lease_until.isoformat())
        except (ReviewError, TaskMissingError):
            lost.append(str(task_id))
    return {"lease_until": min(until, default=None), "lost": lost}


@blueprint.post("/queues/<queue>/release")
@permission("tasks.claim", queue="queue", is_passive=True)
def release(queue: str) -> ResponseReturnValue:  # noqa: ARG001 - the permission is looked up by it
    """Give back what a page that is being left had ahead; what is not held any more is no matter."""
    found, held = signed_in(), services()
    for task_id, token in _claims():
        with suppress(ReviewError, TaskMissingError):
            claims.release(held.desk, task_id, token, actor=found.actor, at=held.clock())
    return "", 204


def _next_card(found: Current, queue: str) -> Card | None:
    held, at = services(), services().clock()
    is_wanted = "prefetch" not in request.headers.get("Sec-Purpose", "")
    in_hand = hands.held(held.desk, queue, actor=found.actor, at=at)[:1]
    if in_hand and is_wanted:
        in_hand = hands.adopt(held.desk, in_hand, actor=found.actor)
    if not in_hand and is_wanted:
        in_hand = claims.claim(held.desk, queue, actor=found.actor, at=at)
    return next(cards(found, in_hand, queue), None)


def _last(found: Current, queue: str) -> dict[str, object] | None:
    held = services()
    last = hands.last(held.desk, queue, actor=found.actor, at=held.clock())
    return {"id": last.decision_id, "words": last.words, "until": last.until} if last else None


def _elsewhere(found: Current, queue: str) -> list[dict[str, object]]:
    rows = listed.rows(found, listed.visible(found))
    waiting = [row for row in rows if row["may_review"] and row["pending"] and row["name"] != queue]
    return sorted(waiting, key=lambda row: -row["pending"])[:_ELSEWHERE]


def _claims() -> list[tuple[UUID, int]]:
    found = []
    for text in request.form.getlist("claim")[:_MOST_CLAIMS]:
        task_id, _, token = text.partition(":")
        found.append((_uuid(task_id), number(token)))
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest from error
