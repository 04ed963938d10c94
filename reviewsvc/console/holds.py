"""Legal holds, for stewards: placing and releasing them."""

from uuid import UUID

from flask import Blueprint, flash
from flask.typing import ResponseReturnValue

from reviewsvc.console.forms import Faults, Form, go, text
from reviewsvc.console.subject_list import ASKED, LONGEST, PATH, page
from reviewsvc.usecases import holds
from reviewsvc.usecases.holds import HoldMissingError, HoldOn
from reviewsvc.usecases.labels import ModelMissingError
from reviewsvc.usecases.sent_ids import NotCapturedError, SeveralSourcesError
from reviewsvc.usecases.subjects import ReasonError, SubjectMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("holds", __name__)

_FIELDS = {
    SubjectMissingError: "subject",
    ModelMissingError: "model",
    NotCapturedError: "prediction_id",
    SeveralSourcesError: "source",
    ReasonError: "reason",
}


@blueprint.post(f"{PATH}/holds")
@permission("subjects.hold")
def hold() -> ResponseReturnValue:
    """Place a legal hold, or ask for it where a second person must agree."""
    held, actor = services(), signed_in().actor
    typed = {name: text(name).strip() for name in HoldOn._fields}
    reason = text("reason", longest=LONGEST)
    needs_two = "hold" in held.second_person
    try:
        act = holds.ask if needs_two else holds.place
        act(held.sessions, held.keyring, _on(typed), reason, actor=actor, at=held.clock())
    except tuple(_FIELDS) as error:
        return page(hold=Form(Faults(**{_FIELDS[type(error)]: str(error)}), reason=reason, **typed)), 422
    flash(ASKED if needs_two else "Held: nothing of it is erased or dropped")
    return go(PATH)


@blueprint.post(f"{PATH}/holds/<uuid:hold_id>/release")
@permission("subjects.hold")
def release(hold_id: UUID) -> ResponseReturnValue:
    """End a legal hold, or ask for its end where a second person must agree."""
    held, actor = services(), signed_in().actor
    reason, needs_two = text("reason", longest=LONGEST), "release" in held.second_person
    try:
        act = holds.ask_release if needs_two else holds.release
        act(held.sessions, held.keyring, hold_id, reason, actor=actor, at=held.clock())
        flash(ASKED if needs_two else "Released")
    except (HoldMissingError, ReasonError) as error:
        flash(str(error), "error")
    return go(PATH)


def _on(typed: dict[str, str]) -> HoldOn:
    given = {name: told or None for name, told in typed.items()}
    return HoldOn(given["subject"]) if given["subject"] else HoldOn(**given)
