"""What is done with a case at the desk: answered, put off, flagged, escalated, given back, taken back."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash
from flask.typing import ResponseReturnValue

from reviewsvc.console.cards import cards, day, figures, html
from reviewsvc.console.forms import answer, go, text, whole
from reviewsvc.domain.agreement import AnswerError
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.domain.review import ReviewError
from reviewsvc.usecases import answers, claims, hands
from reviewsvc.usecases.answers import LONGEST_NOTE, Sent
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.claims import SnoozeError
from reviewsvc.usecases.dossiers import ErasedError, TaskMissingError
from reviewsvc.usecases.hands import Place
from reviewsvc.web.actors import signed_in
from reviewsvc.web.errors import known
from reviewsvc.web.permissions import permission
from reviewsvc.web.problems import is_scripted
from reviewsvc.web.services import services

blueprint = Blueprint("acts", __name__)

_REFUSALS: Final = (ReviewError, AnswerError, SnoozeError, TaskMissingError, ErasedError)
_LONGEST_TOKEN: Final = 2**62
_LONGEST_REASON: Final = 1000
_DAY_MINUTES: Final = 24 * 60


@blueprint.post("/tasks/<uuid:task_id>/decide")
@permission("tasks.decide")
def decide(task_id: UUID) -> ResponseReturnValue:
    """Take the answer to a case."""

    def act(found: Current) -> dict[str, Any]:
        at = services().clock()
        value, note = answer(), text("note", longest=LONGEST_NOTE)
        sent = Sent(uuid7(at, os.urandom(RANDOM_BYTES)), _token(), value, note or None)
        taken = answers.decide(services().desk, task_id, sent, actor=found.actor, at=at)
        until = taken.undo_until.isoformat() if taken.undo_until else None
        return {"decision": {"id": str(taken.decision_id), "undo_until": until}}

    return _act(task_id, "tasks.decide", act)


@blueprint.post("/tasks/<uuid:task_id>/release")
@permission("tasks.claim")
def release(task_id: UUID) -> ResponseReturnValue:
    """Give a case back to its queue."""

    def act(found: Current) -> dict[str, Any]:
        claims.release(services().desk, task_id, _token(), actor=found.actor, at=services().clock())
        return {}

    return _act(task_id, "tasks.claim", act, "Given back")


@blueprint.post("/tasks/<uuid:task_id>/escalate")
@permission("tasks.claim")
def escalate(task_id: UUID) -> ResponseReturnValue:
    """Hand a case to the queue that its queue names."""

    def act(found: Current) -> dict[str, Any]:
        held, reason = services(), text("reason", longest=_LONGEST_REASON)
        claims.escalate(held.desk, task_id, _token(), reason, actor=found.actor, at=held.clock())
        return {}

    return _act(task_id, "tasks.claim", act, "Escalated")


@blueprint.post("/tasks/<uuid:task_id>/snooze")
@permission("tasks.claim")
def snooze(task_id: UUID) -> ResponseReturnValue:
    """Put a case off for some minutes."""

    def act(found: Current) -> dict[str, Any]:
        held, at = services(), services().clock()
        until = at + timedelta(minutes=whole("minutes", lowest=1, highest=30 * _DAY_MINUTES))
        claims.snooze(held.desk, task_id, _token(), until, actor=found.actor, at=at)
        return {}

    return _act(task_id, "tasks.claim", act, "Put off")


@blueprint.post("/tasks/<uuid:task_id>/flag")
@permission("tasks.claim")
def flag(task_id: UUID) -> ResponseReturnValue:
    """Note that something is wrong with a case."""

    def act(found: Current) -> dict[str, Any]:
        held, reason = services(), text("reason", longest=_LONGEST_REASON)
        claims.flag(held.desk, task_id, _token(), reason, actor=found.actor, at=held.clock())
        return {}

    return _act(task_id, "tasks.claim", act, "Flagged")


@blueprint.post("/decisions/<uuid:decision_id>/undo")
@permission("tasks.decide")
def undo(decision_id: UUID) -> ResponseReturnValue:
    """Take an answer back; the case comes back into the same hands if it can."""
    found, held = signed_in(), services()
    place = hands.place_of_decision(held.desk, decision_id)
    found.require("tasks.decide", place.model, place.queue)
    try:
        undone = answers.undo(held.desk, decision_id, actor=found.actor, at=held.clock())
    except _REFUSALS as error:
        return _refused(error, place)
    if not is_scripted():
        flash("Taken back. Answer it again." if undone.held else "Taken back. The case went to the queue.")
        return go(f"/queues/{place.queue}/desk")
    in_hand = [undone.held] if undone.held else []
    return html(cards(found, in_hand, undone.queue), figures(found, undone.queue))


def _act(
    task_id: UUID, needed: str, act: Callable[[Current], dict[str, Any]], words: str = ""
) -> ResponseReturnValue:
    found = signed_in()
    place = hands.place(services().desk, task_id)
    found.require(needed, place.model, place.queue)
    try:
        told = act(found)
    except _REFUSALS as error:
        return _refused(error, place)
    if is_scripted():
        return told | {"day": day(figures(found, place.queue))}
    if words:
        flash(words)
    return go(f"/queues/{place.queue}/desk")


def _refused(error: Exception, place: Place) -> ResponseReturnValue:
    if is_scripted():
        raise error
    flash(f"{known(error).title}. {error}", "error")
    return go(f"/queues/{place.queue}/desk")


def _token() -> int:
    return whole("token", lowest=0, highest=_LONGEST_TOKEN)
