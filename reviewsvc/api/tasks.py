"""Tasks: listed, shown, renewed, given back, put off, answered, adjudicated; answers taken back."""

import os
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from flask_smorest import Blueprint

from reviewsvc.api import case_schemas as c
from reviewsvc.api import task_schemas as s
from reviewsvc.api.queues import held_task
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.usecases import answers, cases, claims, hands, tasks
from reviewsvc.usecases.answers import Decided, Sent
from reviewsvc.usecases.hands import Place
from reviewsvc.usecases.tasks import TaskFilter
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("api-tasks", __name__, url_prefix="/api/v1", description="Tasks and their answers")


@blueprint.get("/tasks")
@blueprint.arguments(s.TasksPage, location="query")
@blueprint.response(200, s.Tasks)
@permission("tasks.see")
def page(asked: dict[str, Any]) -> dict[str, Any]:
    """List tasks in the order in which they were made."""
    found = signed_in()
    mine = found.person.person_id if asked["mine"] else None
    wanted = TaskFilter(found.reach("tasks.see"), asked["queue"], asked["status"], mine)
    listed = tasks.page(services().desk, wanted, after=asked["after"], limit=asked["limit"])
    full = len(listed) == asked["limit"]
    return {"items": [one._asdict() for one in listed], "next": listed[-1].task_id if full else None}


@blueprint.get("/tasks/<uuid:task_id>")
@blueprint.response(200, c.Case)
@permission("payloads.open")
def get(task_id: UUID) -> dict[str, Any]:
    """Show a task with its prediction; whoever does not hold it leaves an access entry."""
    found, held = signed_in(), services()
    place = _place(task_id, "payloads.open", "tasks.see")
    roles = place.roles(found.grants)
    case = cases.show(held.desk, task_id, actor=found.actor, roles=roles, at=held.clock())
    shown: dict[str, Any] = msgspec.to_builtins(case, builtin_types=(datetime, UUID))
    return shown


@blueprint.post("/tasks/<uuid:task_id>/renew")
@blueprint.arguments(s.ClaimToken)
@blueprint.response(200, s.Held)
@permission("tasks.claim")
def renew(asked: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """Lengthen the lease of a task that one holds."""
    held = services()
    _place(task_id, "tasks.claim")
    kept = claims.renew(held.desk, task_id, asked["token"], actor=signed_in().actor, at=held.clock())
    return held_task(kept)


@blueprint.post("/tasks/<uuid:task_id>/release")
@blueprint.arguments(s.ClaimToken)
@blueprint.response(204)
@permission("tasks.claim")
def release(asked: dict[str, Any], task_id: UUID) -> None:
    """Give a task back to its queue."""
    held = services()
    _place(task_id, "tasks.claim")
    claims.release(held.desk, task_id, asked["token"], actor=signed_in().actor, at=held.clock())


@blueprint.post("/tasks/<uuid:task_id>/snooze")
@blueprint.arguments(s.Rest)
@blueprint.response(204)
@permission("tasks.claim")
def snooze(asked: dict[str, Any], task_id: UUID) -> None:
    """Put a task off."""
    held = services()
    _place(task_id, "tasks.claim")
    until = asked["until"]
    claims.snooze(held.desk, task_id, asked["token"], until, actor=signed_in().actor, at=held.clock())


@blueprint.post("/tasks/<uuid:task_id>/flag")
@blueprint.arguments(s.ActReason)
@blueprint.response(204)
@permission("tasks.claim")
def flag(asked: dict[str, Any], task_id: UUID) -> None:
    """Note that something is wrong with a task; it stays in one's hands."""
    held = services()
    _place(task_id, "tasks.claim")
    reason = asked["reason"]
    claims.flag(held.desk, task_id, asked["token"], reason, actor=signed_in().actor, at=held.clock())


@blueprint.post("/tasks/<uuid:task_id>/escalate")
@blueprint.arguments(s.ActReason)
@blueprint.response(200, s.Escalated)
@permission("tasks.claim")
def escalate(asked: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """Hand a task to the queue that its queue names."""
    held = services()
    _place(task_id, "tasks.claim")
    reason, actor = asked["reason"], signed_in().actor
    queue = claims.escalate(held.desk, task_id, asked["token"], reason, actor=actor, at=held.clock())
    return {"queue": queue}


@blueprint.post("/tasks/<uuid:task_id>/decisions")
@blueprint.arguments(s.Answer)
@blueprint.response(201, s.Decided)
@permission("tasks.decide")
def decide(asked: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """Answer a task that one holds; the same answer sent again is answered as the first time."""
    held = services()
    _place(task_id, "tasks.decide")
    sent = Sent(_new_id(), asked["token"], asked["value"], asked["note"])
    return _decided(answers.decide(held.desk, task_id, sent, actor=signed_in().actor, at=held.clock()))


@blueprint.post("/tasks/<uuid:task_id>/adjudications")
@blueprint.arguments(s.Verdict)
@blueprint.response(201, s.Decided)
@permission("tasks.adjudicate")
def adjudicate(asked: dict[str, Any], task_id: UUID) -> dict[str, Any]:
    """End a disagreement; refused to whoever answered the task."""
    held = services()
    _place(task_id, "tasks.adjudicate")
    sent = Sent(_new_id(), 0, asked["value"], asked["note"])
    return _decided(answers.adjudicate(held.desk, task_id, sent, actor=signed_in().actor, at=held.clock()))


@blueprint.post("/decisions/<uuid:decision_id>/undo")
@blueprint.arguments(s.Undo)
@blueprint.response(200, s.Undone)
@permission("tasks.decide")
def undo(asked: dict[str, Any], decision_id: UUID) -> dict[str, Any]:
    """Take one's own answer back within the time limit; with `hold` the task is in one's hands again."""
    found, held = signed_in(), services()
    place = hands.place_of_decision(held.desk, decision_id)
    found.require("tasks.decide", place.model, place.queue)
    undone = answers.undo(held.desk, decision_id, actor=found.actor, at=held.clock(), hold=asked["hold"])
    again = held_task(undone.held) if undone.held else {"token": None, "lease_until": None}
    return {**again, "task": undone.task_id, "status": undone.status.value}


def _place(task_id: UUID, *needed: str) -> Place:
    """Where a task is, once it is sure that everything needed may be done there."""
    place = hands.place(services().desk, task_id)
    for each in needed:
        signed_in().require(each, place.model, place.queue)
    return place


def _new_id() -> UUID:
    return uuid7(services().clock(), os.urandom(RANDOM_BYTES))


def _decided(decided: Decided) -> dict[str, Any]:
    answer = decided.answer
    value = answer.label if answer.label is not None else answer.value
    return {
        "decision_id": decided.decision_id,
        "task": decided.task_id,
        "value": answer.text if value is None else value,
        "agreed": decided.agreed,
        "status": decided.status.value,
        "undo_until": decided.undo_until,
    }
