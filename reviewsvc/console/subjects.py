"""Subjects, for stewards: erasing, exporting and holding, and who is to be told of what was erased."""

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, render_template
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from reviewsvc.console.forms import Faults, Form, go, text
from reviewsvc.console.lists import ROWS, asked_uuid, pager
from reviewsvc.domain.moments import moment
from reviewsvc.usecases import erasures, holds, people, subject_export
from reviewsvc.usecases.decisions import NotCapturedError, SeveralSourcesError
from reviewsvc.usecases.erasures import Erasure, ErasureStateError, SecondPersonError
from reviewsvc.usecases.holds import Hold, HoldOn
from reviewsvc.usecases.labels import ModelMissingError
from reviewsvc.usecases.people import PersonMissingError
from reviewsvc.usecases.subjects import HeldError, ReasonError, SubjectMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("subjects", __name__)

_PATH: Final = "/subjects"
_LONGEST: Final = 2_000
_STATUS: Final = {
    "waiting": ("waits for a second person", "alarm-clock"),
    "approved": ("being carried out", "clock"),
    "done": ("erased", "shield-check"),
    "refused": ("refused", "lock"),
}
_KINDS: Final = {
    "source": "Events in the topic that they came from",
    "topic": "Labels and answers in the topic",
    "labels": "Labels pulled by",
    "bundle": "Bundles that may hold some, made by",
    "subject_export": "Exports of this subject, made by",
}


@blueprint.get(_PATH)
@permission("subjects.erase")
def show() -> str:
    """List erasures and holds, with the forms to ask for one."""
    return _list(Form())


@blueprint.post(f"{_PATH}/erasures")
@permission("subjects.erase")
def erase() -> ResponseReturnValue:
    """Ask for a subject's erasure."""
    held, subject, reason = services(), text("subject"), text("reason", longest=_LONGEST)
    try:
        made = erasures.request(
            held.sessions,
            held.keyring,
            subject,
            reason,
            actor=signed_in().actor,
            at=held.clock(),
            second_person=held.erase_needs_two,
        )
    except (SubjectMissingError, HeldError, ErasureStateError) as error:
        return _list(Form(Faults(subject=str(error)), subject=subject, reason=reason)), 422
    except ReasonError as error:
        return _list(Form(Faults(reason=str(error)), subject=subject, reason=reason)), 422
    flash("Asked for" if made.status == "waiting" else "The erasure is being carried out")
    return go(f"{_PATH}/erasures/{made.erasure_id}")


@blueprint.get(f"{_PATH}/erasures/<uuid:erasure_id>")
@permission("subjects.erase")
def show_one(erasure_id: UUID) -> str:
    """Show what became of an erasure, and who is to be told."""
    held = services()
    found = erasures.get(held.sessions, held.keyring, erasure_id)
    left = [
        each._asdict()
        | {
            "words": _KINDS.get(each.kind, each.kind),
            "receiver": _person(each.receiver),
            "last_at": moment(each.last_at) if each.last_at else None,
            "told_by": _person(each.told_by) if each.told_by else None,
        }
        for each in found.left
    ]
    return render_template("erasure.html", erasure=_row(found), left=left, days=held.backup_days)


@blueprint.post(f"{_PATH}/erasures/<uuid:erasure_id>/<any(approve, refuse):act>")
@permission("subjects.erase")
def settle(erasure_id: UUID, act: str) -> ResponseReturnValue:
    """Agree to an erasure that somebody else asked for, or refuse it."""
    held, actor = services(), signed_in().actor
    change = erasures.approve if act == "approve" else erasures.refuse
    try:
        change(held.sessions, held.keyring, erasure_id, actor=actor, at=held.clock())
        flash("The erasure is being carried out" if act == "approve" else "Refused")
    except (SecondPersonError, ErasureStateError) as error:
        flash(str(error), "error")
    return go(f"{_PATH}/erasures/{erasure_id}")


@blueprint.post(f"{_PATH}/erasures/<uuid:erasure_id>/left/<int:item>/told")
@permission("subjects.erase")
def tell(erasure_id: UUID, item: int) -> ResponseReturnValue:
    """Note that a receiver was told."""
    held, actor = services(), signed_in().actor
    erasures.tell(held.sessions, held.keyring, erasure_id, item, actor=actor, at=held.clock())
    flash("Noted")
    return go(f"{_PATH}/erasures/{erasure_id}")


@blueprint.post(f"{_PATH}/exports")
@permission("subjects.export")
def export() -> ResponseReturnValue:
    """Download all that is held of a subject."""
    held, subject, reason = services(), text("subject"), text("reason", longest=_LONGEST)
    try:
        made = subject_export.export(held.desk, subject, reason, actor=signed_in().actor, at=held.clock())
    except (SubjectMissingError, ReasonError) as error:
        flash(str(error), "error")
        return go(_PATH)
    answer = Response(made.as_zip(), mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{made.pseudonym}.zip")
    return answer


@blueprint.post(f"{_PATH}/holds")
@permission("subjects.hold")
def hold() -> ResponseReturnValue:
    """Place a legal hold."""
    held, actor = services(), signed_in().actor
    given = {name: text(name).strip() or None for name in HoldOn._fields}
    on = HoldOn(**given) if not given["subject"] else HoldOn(given["subject"])
    try:
        holds.place(
            held.sessions, held.keyring, on, text("reason", longest=_LONGEST), actor=actor, at=held.clock()
        )
        flash("Held: nothing of it is erased or dropped")
    except (
        SubjectMissingError,
        ReasonError,
        ModelMissingError,
        NotCapturedError,
        SeveralSourcesError,
    ) as error:
        flash(str(error), "error")
    return go(_PATH)


@blueprint.post(f"{_PATH}/holds/<uuid:hold_id>/release")
@permission("subjects.hold")
def release(hold_id: UUID) -> ResponseReturnValue:
    """End a legal hold."""
    held, actor = services(), signed_in().actor
    try:
        holds.release(
            held.sessions,
            held.keyring,
            hold_id,
            text("reason", longest=_LONGEST),
            actor=actor,
            at=held.clock(),
        )
        flash("Released")
    except (holds.HoldMissingError, ReasonError) as error:
        flash(str(error), "error")
    return go(_PATH)


def _list(form: Form) -> str:
    held, after = services(), asked_uuid("after")
    last = erasures.get(held.sessions, held.keyring, after) if after else None
    before = (last.requested_at, last.erasure_id) if last else None
    found = erasures.page(held.sessions, held.keyring, before, ROWS)
    following = found[-1].erasure_id if len(found) == ROWS else None
    return render_template(
        "subjects.html",
        erasures=[_row(one) for one in found],
        holds=[_hold(one) for one in holds.every(held.sessions, held.keyring)],
        needs_two=held.erase_needs_two,
        days=held.backup_days,
        form=form,
        pager=pager(_PATH, following),
    )


def _row(found: Erasure) -> dict[str, Any]:
    words, icon = _STATUS[found.status]
    return found._asdict() | {
        "id": found.erasure_id,
        "words": "held" if found.is_held else words,
        "icon": icon,
        "requested_by": _person(found.requested_by),
        "settled_by": _person(found.settled_by) if found.settled_by else None,
        "final_at": erasures.final_at(found, services().backup_days),
        "untold": sum(each.told_at is None for each in found.left),
    }


def _hold(found: Hold) -> dict[str, Any]:
    by = {"placed_by": _person(found.placed_by), "id": found.hold_id}
    return found._asdict() | by | {"released_by": _person(found.released_by) if found.released_by else None}


def _person(said: str) -> str:
    """Say an actor, or a topic, so that a reader knows it."""
    kind, _, name = said.partition(":")
    if kind not in ("person", "token"):
        return name if kind == "cli" else said
    try:
        return people.get(services().sessions, UUID(name)).person.name
    except PersonMissingError:
        return name
