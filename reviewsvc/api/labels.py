"""Labels: by cursor, or as a stream of everything that follows."""

import json
from typing import Any

import msgspec
from flask import Response, request
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from reviewsvc.api.task_schemas import LONGEST_PAGE
from reviewsvc.usecases import labels
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

CONTINUATION = "Reviewsvc-Continuation"

blueprint = Blueprint("labels", __name__, url_prefix="/api/v1", description="What retraining may use")


class LabelsAsked(Schema):
    """Which labels are asked for."""

    model = fields.String(required=True)
    after = fields.String(
        load_default="0", metadata={"description": "`next` of the last answer; 0 is the start"}
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class Label(Schema):
    """A label or its withdrawal (labels/v1)."""

    label_id = fields.String(required=True)
    seq = fields.Integer(required=True)
    op = fields.String(required=True, validate=validate.OneOf(["add", "withdraw"]))
    model = fields.String(required=True)
    version = fields.String(required=True, allow_none=True)
    source = fields.String(required=True, allow_none=True)
    prediction_id = fields.String(required=True, allow_none=True)
    predicted_at = fields.String(required=True, metadata={"format": "date-time"})
    labelled_at = fields.String(required=True, metadata={"format": "date-time"})
    value = fields.Raw(required=True, allow_none=True, metadata={"description": "A class, number or text"})
    model_value = fields.Raw(required=True, allow_none=True)
    confidence = fields.Float(required=True, allow_none=True)
    agreed = fields.Boolean(required=True)
    kind = fields.String(required=True)
    reviewer = fields.String(required=True, allow_none=True)
    contract_version = fields.Integer(required=True)
    policy_version = fields.Integer(required=True, allow_none=True)
    rule = fields.String(required=True, allow_none=True)
    selection_probability = fields.Float(required=True, allow_none=True)
    weight = fields.Float(required=True, allow_none=True)
    supersedes = fields.String(required=True, allow_none=True)
    entry_log = fields.String(required=True)
    entry_seq = fields.Integer(required=True)


class Labels(Schema):
    """A part of a model's labels."""

    items = fields.List(fields.Nested(Label), required=True)
    next = fields.String(required=True)
    continuation = fields.Dict(
        required=True,
        allow_none=True,
        metadata={
            "description": "After a restore, for a cursor from before: the `log` that goes on, `next`, the "
            "label ids that are `lost` (`from`, `to`), and what the log's first entry says"
        },
    )


@blueprint.get("/labels")
@blueprint.arguments(LabelsAsked, location="query")
@blueprint.response(200, Labels)
@permission("labels.pull")
def page(asked: dict[str, Any]) -> ResponseReturnValue:
    """Return labels in the order in which they were made; that they leave is logged.

    With `Accept: application/x-ndjson` or `text/csv` everything that follows the cursor is streamed, and
    `limit` does not count; what `continuation` would say is the header `Reviewsvc-Continuation` then.
    """
    found, held, model = signed_in(), services(), asked["model"]
    found.require("labels.pull", model=model)
    media = request.accept_mimetypes.best_match(["application/json", *labels.FORMATS], "application/json")
    if media in labels.FORMATS:
        given = labels.opened(
            held.desk, model, asked["after"], actor=found.actor, at=held.clock(), token=found.token_id
        )
        told = {CONTINUATION: json.dumps(given.continuation)} if given.continuation else {}
        return Response(labels.FORMATS[media](given.batches), mimetype=media, headers=told)
    part = labels.page(
        held.desk,
        model,
        asked["after"],
        asked["limit"],
        actor=found.actor,
        at=held.clock(),
        token=found.token_id,
    )
    shown: ResponseReturnValue = msgspec.to_builtins(part._asdict())
    return shown
