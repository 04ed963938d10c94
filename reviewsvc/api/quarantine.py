"""Events that could not be read: where, why and how large, and their bytes for who may open payloads."""

import base64
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from reviewsvc.api.subject_schemas import ErasureState, ReasonGiven
from reviewsvc.api.subjects import shown_erasure
from reviewsvc.api.task_schemas import LONGEST_PAGE
from reviewsvc.domain.entries import Ref
from reviewsvc.usecases import erasures, quarantine
from reviewsvc.usecases.quarantine import Before
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint(
    "quarantine", __name__, url_prefix="/api/v1", description="Events that could not be read"
)


class QuarantineAsked(Schema):
    """Which part of the list is asked for."""

    after = fields.String(
        load_default="",
        validate=validate.Regexp(r"^(\d{1,18}\.\d{1,9}\.\d{1,18})?$"),
        metadata={"description": "`next` of the page before"},
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class QuarantinedEvent(Schema):
    """An event that could not be read, without its bytes."""

    log = fields.String(required=True)
    seq = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    topic = fields.String(required=True, allow_none=True)
    partition = fields.Integer(required=True, allow_none=True)
    offset = fields.Integer(required=True, allow_none=True)
    offsets = fields.Integer(required=True, metadata={"description": "How many offsets it covers"})
    reason = fields.String(required=True, metadata={"description": "A code, for programs"})
    text = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "In bytes"})


class QuarantinePage(Schema):
    """A part of the list, the newest first."""

    items = fields.List(fields.Nested(QuarantinedEvent), required=True)
    next = fields.String(required=True, allow_none=True)


class EventPlace(Schema):
    """Which event is asked for."""

    log = fields.String(required=True)
    seq = fields.Integer(required=True, validate=validate.Range(0, 2**62))


class EventErased(EventPlace, ReasonGiven):
    """Which event is to be erased, and why."""


class RawEvent(Schema):
    """A Kafka record as it was, its key, headers and value in base64; a tombstone has no value."""

    key = fields.String(required=True, allow_none=True)
    headers = fields.List(fields.List(fields.String(allow_none=True)), required=True)
    value = fields.String(required=True, allow_none=True)


@blueprint.get("/quarantine")
@blueprint.arguments(QuarantineAsked, location="query")
@blueprint.response(200, QuarantinePage)
@permission("quarantine.see")
def page(asked: dict[str, Any]) -> dict[str, Any]:
    """List events that could not be read, the newest first."""
    found = quarantine.page(services().desk, _before(asked["after"]), asked["limit"])
    full = len(found) == asked["limit"]
    following = ".".join(map(str, found[-1].place)) if full else None
    return {"items": [one._asdict() for one in found], "next": following}


@blueprint.post("/quarantine/erasures")
@blueprint.arguments(EventErased)
@blueprint.response(202, ErasureState)
@permission("subjects.erase")
def erase(asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for the erasure of one such event: the worker destroys its own key."""
    held, place = services(), Ref(asked["log"], asked["seq"])
    made = erasures.request_event(
        held.sessions,
        held.keyring,
        place,
        asked["reason"],
        actor=signed_in().actor,
        at=held.clock(),
        second_person="erase" in held.second_person,
    )
    return shown_erasure(made)


@blueprint.get("/quarantine/raw")
@blueprint.arguments(EventPlace, location="query")
@blueprint.response(200, RawEvent)
@permission("payloads.open")
def raw(asked: dict[str, Any]) -> dict[str, Any]:
    """Open the bytes of such an event; that is logged."""
    found, held = signed_in(), services()
    # It belongs to no model and no queue, so that the permission must hold everywhere.
    found.require("payloads.open")
    record = quarantine.open_raw(held.desk, asked["log"], asked["seq"], actor=found.actor, at=held.clock())
    headers = [[name.encode("utf-8", "replace").decode(), _base64(value)] for name, value in record.headers]
    return {"key": _base64(record.key), "headers": headers, "value": _base64(record.value)}


def _before(text: str) -> Before | None:
    if not text:
        return None
    at, log_id, seq = map(int, text.split("."))
    return at, log_id, seq


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
