"""Subjects, for stewards: erasures, exports and legal holds. Subjects are named in bodies, never in paths."""

from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint

from reviewsvc.api.approvals import WAITS, asked_for
from reviewsvc.api.subject_schemas import (
    ApprovalState,
    ErasurePage,
    ErasuresAsked,
    ErasureState,
    HoldAsked,
    HoldList,
    HoldState,
    ReasonGiven,
    SubjectAsked,
    SubjectExported,
)
from reviewsvc.usecases import erasures, holds, subject_export
from reviewsvc.usecases.erasures import Erasure
from reviewsvc.usecases.holds import HoldOn
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint(
    "subjects", __name__, url_prefix="/api/v1/subjects", description="Erasing, exporting and holding subjects"
)


@blueprint.post("/erasures")
@blueprint.arguments(SubjectAsked)
@blueprint.response(202, ErasureState)
@permission("subjects.erase")
def erase(asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for a subject's erasure; the worker carries it out, once a second person agrees where needed."""
    held, actor = services(), signed_in().actor
    made = erasures.request(
        held.sessions,
        held.keyring,
        asked["subject"],
        asked["reason"],
        actor=actor,
        at=held.clock(),
        second_person="erase" in held.second_person,
    )
    return shown_erasure(made)


@blueprint.get("/erasures")
@blueprint.arguments(ErasuresAsked, location="query")
@blueprint.response(200, ErasurePage)
@permission("subjects.erase")
def page(asked: dict[str, Any]) -> dict[str, Any]:
    """List erasures, the newest first."""
    held = services()
    last = erasures.get(held.sessions, held.keyring, asked["after"]) if asked["after"] else None
    before = (last.requested_at, last.erasure_id) if last else None
    found = erasures.page(held.sessions, held.keyring, before, asked["limit"])
    following = found[-1].erasure_id if len(found) == asked["limit"] else None
    return {"items": [shown_erasure(one) for one in found], "next": following}


@blueprint.get("/erasures/<uuid:erasure_id>")
@blueprint.response(200, ErasureState)
@permission("subjects.erase")
def show(erasure_id: UUID) -> dict[str, Any]:
    """Show what became of an erasure, and who is to be told."""
    return shown_erasure(erasures.get(services().sessions, services().keyring, erasure_id))


@blueprint.post("/erasures/<uuid:erasure_id>/left/<int:item>/told")
@blueprint.response(200, ErasureState)
@permission("subjects.erase")
def tell(erasure_id: UUID, item: int) -> dict[str, Any]:
    """Note that a receiver was told of an erasure."""
    held, actor = services(), signed_in().actor
    return shown_erasure(
        erasures.tell(held.sessions, held.keyring, erasure_id, item, actor=actor, at=held.clock())
    )


@blueprint.post("/exports")
@blueprint.arguments(SubjectAsked)
@blueprint.response(200, SubjectExported)
@blueprint.alt_response(202, schema=ApprovalState, description=WAITS)
@permission("subjects.export")
def export(asked: dict[str, Any]) -> dict[str, Any] | Response:
    """Give all that is held of a subject; that it was given is an entry."""
    held, actor = services(), signed_in().actor
    subject, reason = asked["subject"], asked["reason"]
    if "export" in held.second_person:
        return asked_for(subject_export.ask(held.desk, subject, reason, actor=actor, at=held.clock()))
    return subject_export.export(held.desk, subject, reason, actor=actor, at=held.clock())._asdict()


@blueprint.post("/holds")
@blueprint.arguments(HoldAsked)
@blueprint.response(201, HoldState)
@blueprint.alt_response(202, schema=ApprovalState, description=WAITS)
@permission("subjects.hold")
def hold(asked: dict[str, Any]) -> dict[str, Any] | Response:
    """Place a legal hold: what is held is neither erased nor dropped."""
    held, actor = services(), signed_in().actor
    on, reason = HoldOn(*(asked.get(name) for name in HoldOn._fields)), asked["reason"]
    if "hold" in held.second_person:
        return asked_for(holds.ask(held.sessions, held.keyring, on, reason, actor=actor, at=held.clock()))
    return holds.place(held.sessions, held.keyring, on, reason, actor=actor, at=held.clock())._asdict()


@blueprint.get("/holds")
@blueprint.response(200, HoldList)
@permission("subjects.hold")
def list_holds() -> dict[str, Any]:
    """List legal holds: those that stand, then those that ended."""
    found = holds.every(services().sessions, services().keyring)
    return {"items": [one._asdict() for one in found], "next": None}


@blueprint.post("/holds/<uuid:hold_id>/release")
@blueprint.arguments(ReasonGiven)
@blueprint.response(200, HoldState)
@blueprint.alt_response(202, schema=ApprovalState, description=WAITS)
@permission("subjects.hold")
def release(asked: dict[str, Any], hold_id: UUID) -> dict[str, Any] | Response:
    """End a legal hold."""
    held, actor, reason = services(), signed_in().actor, asked["reason"]
    if "release" in held.second_person:
        return asked_for(
            holds.ask_release(held.sessions, held.keyring, hold_id, reason, actor=actor, at=held.clock())
        )
    ended = holds.release(held.sessions, held.keyring, hold_id, reason, actor=actor, at=held.clock())
    return ended._asdict()


def shown_erasure(told: Erasure) -> dict[str, Any]:
    """Return an erasure as the API shows it."""
    left = [each._asdict() for each in told.left]
    return told._asdict() | {"left": left, "final_at": erasures.final_at(told, services().backup_days)}
