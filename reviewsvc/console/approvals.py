"""What waits for a second person, for stewards: agreeing, refusing, and taking an export."""

from uuid import UUID

from flask import Blueprint, flash
from flask.typing import ResponseReturnValue

from reviewsvc.console.forms import go
from reviewsvc.console.subject_list import PATH
from reviewsvc.console.subjects import download
from reviewsvc.usecases import approving, subject_export
from reviewsvc.usecases.approvals import ApprovalStateError, SecondPersonError
from reviewsvc.usecases.holds import HoldMissingError
from reviewsvc.usecases.subjects import SubjectMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("approvals", __name__)

_AGREED = {
    "erase": "The erasure is being carried out",
    "export": "Agreed: who asked for the export can take it now",
    "hold": "Held: nothing of it is erased or dropped",
    "release": "Released",
}


@blueprint.post(f"{PATH}/approvals/<uuid:approval_id>/<any(approve, refuse):act>")
@permission("subjects.approve")
def settle(approval_id: UUID, act: str) -> ResponseReturnValue:
    """Agree to what somebody else asked for, or refuse it."""
    held, actor = services(), signed_in().actor
    change = approving.approve if act == "approve" else approving.refuse
    try:
        done = change(held.sessions, held.keyring, approval_id, actor=actor, at=held.clock())
    except (SecondPersonError, ApprovalStateError, HoldMissingError, SubjectMissingError) as error:
        flash(str(error), "error")
        return go(PATH)
    flash(_AGREED[done.act] if act == "approve" else "Refused")
    return go(f"{PATH}/erasures/{approval_id}" if done.act == "erase" else PATH)


@blueprint.post(f"{PATH}/approvals/<uuid:approval_id>/export")
@permission("subjects.export")
def take(approval_id: UUID) -> ResponseReturnValue:
    """Download an export that was agreed to."""
    held = services()
    try:
        return download(subject_export.take(held.desk, approval_id, actor=signed_in().actor, at=held.clock()))
    except (SecondPersonError, ApprovalStateError, SubjectMissingError) as error:
        flash(str(error), "error")
        return go(PATH)
