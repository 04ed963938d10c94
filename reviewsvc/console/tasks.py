"""Tasks: the list, and one of them to read."""

import os
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from reviewsvc.console.forms import answer, go, text
from reviewsvc.console.lists import ROWS, asked, asked_uuid, pager
from reviewsvc.db.task_lists import Wanted
from reviewsvc.domain.agreement import AnswerError
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.domain.review import ReviewError, Status
from reviewsvc.usecases import answers, cases, hands, task_lists
from reviewsvc.usecases.answers import LONGEST_NOTE, Sent
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("tasks", __name__)

_ANY: Final = ("", "Any")
_PATH: Final = "/tasks"
_STATUSES: Final = frozenset(Status)


@blueprint.get(_PATH)
@permission("tasks.see")
def show() -> str:
    """List the tasks that this person may see."""
    found, desk = signed_in(), services().desk
    filters = {name: asked(name) for name in ("q", "queue", "model", "status")}
    status = filters["status"] if filters["status"] in _STATUSES else ""
    wanted = Wanted(filters["queue"] or None, filters["model"] or None, status or None)
    listed = task_lists.page(
        desk, found, wanted, prediction_id=filters["q"], before=asked_uuid("after"), limit=ROWS
    )
    queues, models = task_lists.names(desk)
    reach = found.reach("tasks.see")
    return render_template(
        "tasks.html",
        tasks=listed,
        filters=filters,
        queues=[_ANY, *((name, name) for name in queues if reach.models or reach.covers(queue=name))],
        models=[_ANY, *((name, name) for name in models if reach.queues or reach.covers(model=name))],
        pager=pager(_PATH, listed[-1].id if len(listed) == ROWS else None, **filters),
    )


@blueprint.get(f"{_PATH}/<uuid:task_id>")
@permission("tasks.see")
def show_one(task_id: UUID) -> str:
    """Show a task with everything that its reader may know."""
    found, held = signed_in(), services()
    place = hands.place(held.desk, task_id)
    if not found.may("tasks.see", place.model, place.queue):
        # To whom it is not open it looks like a task that never was.
        raise NotFound
    roles = place.roles(found.grants)
    case = cases.show(held.desk, task_id, actor=found.actor, roles=roles, at=held.clock())
    task = task_lists.one(held.desk, found, task_id)
    hides = case.answer.blind or cases.is_second(task.reviewers, task.status, roles)
    return render_template(
        "task.html",
        case=case,
        task=task,
        decisions=[] if hides else task_lists.decisions(held.desk, task_id),
        may_adjudicate=task.status == Status.DISPUTED
        and found.may("tasks.adjudicate", place.model, place.queue),
    )


@blueprint.post(f"{_PATH}/<uuid:task_id>/adjudicate")
@permission("tasks.adjudicate")
def adjudicate(task_id: UUID) -> ResponseReturnValue:
    """End a disagreement."""
    found, held, at = signed_in(), services(), services().clock()
    place = hands.place(held.desk, task_id)
    found.require("tasks.adjudicate", place.model, place.queue)
    value, note = answer(), text("note", longest=LONGEST_NOTE)
    sent = Sent(uuid7(at, os.urandom(RANDOM_BYTES)), 0, value, note or None)
    try:
        answers.adjudicate(held.desk, task_id, sent, actor=found.actor, at=at)
        flash("Adjudicated: the disagreement has ended")
    except (ReviewError, AnswerError) as error:
        flash(str(error), "error")
    return go(f"{_PATH}/{task_id}")
