"""Subjects, for stewards: erasing, exporting and holding, and who is to be told of what was erased."""

from typing import Final
from uuid import UUID

from flask import Blueprint, flash, render_template
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from reviewsvc.console.forms import Faults, Form, go, text
from reviewsvc.console.subject_list import ASKED, LONGEST, PATH, is_mine, page, person_of, row_of
from reviewsvc.domain.moments import moment
from reviewsvc.usecases import erasures, subject_export
from reviewsvc.usecases.approvals import ApprovalStateError
from reviewsvc.usecases.subject_export import Exported
from reviewsvc.usecases.subjects import HeldError, ReasonError, SubjectMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("subjects", __name__)

_KINDS: Final = {
    "source": "Events in the topic that they came from",
    "topic": "Labels and answers in the topic",
    "labels": "Labels pulled by",
    "answers": "Answers asked for of its models, perhaps of these, by",
    "bundle": "A bundle with some of it, made by",
    "download": "A bundle with some of it, taken by",
    "subject_export": "Exports of this subject, made by",
}


@blueprint.get(PATH)
@permission("subjects.erase")
def show() -> str:
    """List erasures and holds, with the forms to ask for one."""
    return page()


@blueprint.post(f"{PATH}/erasures")
@permission("subjects.erase")
def erase() -> ResponseReturnValue:
    """Ask for a subject's erasure."""
    held, subject, reason = services(), text("subject"), text("reason", longest=LONGEST)
    try:
        made = erasures.request(
            held.sessions,
            held.keyring,
            subject,
            reason,
            actor=signed_in().actor,
            at=held.clock(),
            second_person="erase" in held.second_person,
        )
    except (SubjectMissingError, HeldError, ApprovalStateError) as error:
        return page(erase=Form(Faults(subject=str(error)), subject=subject, reason=reason)), 422
    except ReasonError as error:
        return page(erase=Form(Faults(reason=str(error)), subject=subject, reason=reason)), 422
    flash(ASKED if made.status == "waiting" else "The erasure is being carried out")
    return go(f"{PATH}/erasures/{made.erasure_id}")


@blueprint.get(f"{PATH}/erasures/<uuid:erasure_id>")
@permission("subjects.erase")
def show_one(erasure_id: UUID) -> str:
    """Show what became of an erasure, and who is to be told."""
    held = services()
    found = erasures.get(held.sessions, held.keyring, erasure_id)
    left = [
        each._asdict()
        | {
            "words": _KINDS.get(each.kind, each.kind),
            "last_at": moment(each.last_at) if each.last_at else None,
            "told_by": person_of(each.told_by) if each.told_by else None,
        }
        for each in found.left
    ]
    return render_template(
        "erasure.html",
        erasure=row_of(found),
        is_mine=is_mine(found.requested_by),
        left=left,
        days=held.backup_days,
    )


@blueprint.post(f"{PATH}/erasures/<uuid:erasure_id>/left/<int:item>/told")
@permission("subjects.erase")
def tell(erasure_id: UUID, item: int) -> ResponseReturnValue:
    """Note that a receiver was told."""
    held, actor = services(), signed_in().actor
    erasures.tell(held.sessions, held.keyring, erasure_id, item, actor=actor, at=held.clock())
    flash("Noted")
    return go(f"{PATH}/erasures/{erasure_id}")


@blueprint.post(f"{PATH}/exports")
@permission("subjects.export")
def export() -> ResponseReturnValue:
    """Download all that is held of a subject, or ask for it where a second person must agree."""
    held, subject, reason = services(), text("subject"), text("reason", longest=LONGEST)
    act = subject_export.ask if "export" in held.second_person else subject_export.export
    try:
        made = act(held.desk, subject, reason, actor=signed_in().actor, at=held.clock())
    except SubjectMissingError as error:
        return page(export=Form(Faults(subject=str(error)), subject=subject, reason=reason)), 422
    except ReasonError as error:
        return page(export=Form(Faults(reason=str(error)), subject=subject, reason=reason)), 422
    if isinstance(made, Exported):
        return download(made)
    flash(ASKED)
    return go(PATH)


def download(made: Exported) -> Response:
    """Answer with an export as a file."""
    answer = Response(made.as_zip(), mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{made.pseudonym}.zip")
    return answer
