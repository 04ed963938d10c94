"""What waits for a second person: agreeing, refusing, and taking an export that was agreed to."""

from typing import Any, Final
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint

from reviewsvc.api.subject_schemas import ApprovalList, ApprovalState, SubjectExported
from reviewsvc.usecases import approvals, approving, subject_export
from reviewsvc.usecases.approvals import Approval
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

WAITS: Final = "A second person must agree: it waits for them"
_ACCEPTED: Final = 202

blueprint = Blueprint(
    "approvals",
    __name__,
    url_prefix="/api/v1/subjects/approvals",
    description="What one steward asked for and another must agree to",
)


def asked_for(approval: Approval) -> Response:
    """Answer that something waits for a second person."""
    answer = jsonify(ApprovalState().dump(approval._asdict()))
    answer.status_code = _ACCEPTED
    return answer


@blueprint.get("")
@blueprint.response(200, ApprovalList)
@permission("subjects.approve")
def waiting() -> dict[str, Any]:
    """List what waits for a second person, the oldest first."""
    found = approvals.waiting(services().sessions, services().keyring)
    return {"items": [one._asdict() for one in found], "next": None}


@blueprint.get("/<uuid:approval_id>")
@blueprint.response(200, ApprovalState)
@permission("subjects.approve")
def show(approval_id: UUID) -> dict[str, Any]:
    """Show what became of an approval."""
    return approvals.get(services().sessions, services().keyring, approval_id)._asdict()


@blueprint.post("/<uuid:approval_id>/approve")
@blueprint.response(200, ApprovalState)
@permission("subjects.approve")
def approve(approval_id: UUID) -> dict[str, Any]:
    """Agree to what somebody else asked for: a hold stands or ends at once, an erasure is carried out."""
    held, actor = services(), signed_in().actor
    return approving.approve(held.sessions, held.keyring, approval_id, actor=actor, at=held.clock())._asdict()


@blueprint.post("/<uuid:approval_id>/refuse")
@blueprint.response(200, ApprovalState)
@permission("subjects.approve")
def refuse(approval_id: UUID) -> dict[str, Any]:
    """Refuse what waits, or take back what one asked for oneself."""
    held, actor = services(), signed_in().actor
    return approving.refuse(held.sessions, held.keyring, approval_id, actor=actor, at=held.clock())._asdict()


@blueprint.post("/<uuid:approval_id>/export")
@blueprint.response(200, SubjectExported)
@permission("subjects.export")
def take(approval_id: UUID) -> dict[str, Any]:
    """Give an export that was agreed to, to who asked for it, for seven days; each time is an entry."""
    held, actor = services(), signed_in().actor
    return subject_export.take(held.desk, approval_id, actor=actor, at=held.clock())._asdict()
