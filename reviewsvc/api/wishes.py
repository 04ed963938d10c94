"""What waits for a second person: agreeing, refusing, and taking an export that was agreed to."""

from typing import Any, Final
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint

from reviewsvc.api.subject_schemas import SubjectExported, WishList, WishState
from reviewsvc.usecases import approvals, subject_export, wishes
from reviewsvc.usecases.wishes import Wish
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

WAITS: Final = "A second person must agree: it waits for them"
_ACCEPTED: Final = 202

blueprint = Blueprint(
    "wishes",
    __name__,
    url_prefix="/api/v1/subjects/wishes",
    description="What one steward asked for and another must agree to",
)


def asked_for(wish: Wish) -> Response:
    """Answer that something waits for a second person."""
    answer = jsonify(WishState().dump(wish._asdict()))
    answer.status_code = _ACCEPTED
    return answer


@blueprint.get("")
@blueprint.response(200, WishList)
@permission("subjects.approve")
def waiting() -> dict[str, Any]:
    """List what waits for a second person, the oldest first."""
    found = wishes.waiting(services().sessions, services().keyring)
    return {"items": [one._asdict() for one in found], "next": None}


@blueprint.get("/<uuid:wish_id>")
@blueprint.response(200, WishState)
@permission("subjects.approve")
def show(wish_id: UUID) -> dict[str, Any]:
    """Show what became of a wish."""
    return wishes.get(services().sessions, services().keyring, wish_id)._asdict()


@blueprint.post("/<uuid:wish_id>/approve")
@blueprint.response(200, WishState)
@permission("subjects.approve")
def approve(wish_id: UUID) -> dict[str, Any]:
    """Agree to what somebody else asked for: a hold stands or ends at once, an erasure is carried out."""
    held, actor = services(), signed_in().actor
    return approvals.approve(held.sessions, held.keyring, wish_id, actor=actor, at=held.clock())._asdict()


@blueprint.post("/<uuid:wish_id>/refuse")
@blueprint.response(200, WishState)
@permission("subjects.approve")
def refuse(wish_id: UUID) -> dict[str, Any]:
    """Refuse what waits, or take one's own wish back."""
    held, actor = services(), signed_in().actor
    return approvals.refuse(held.sessions, held.keyring, wish_id, actor=actor, at=held.clock())._asdict()


@blueprint.post("/<uuid:wish_id>/export")
@blueprint.response(200, SubjectExported)
@permission("subjects.export")
def take(wish_id: UUID) -> dict[str, Any]:
    """Give an export that was agreed to, to who asked for it, for seven days; each time is an entry."""
    held, actor = services(), signed_in().actor
    return subject_export.take(held.desk, wish_id, actor=actor, at=held.clock())._asdict()
