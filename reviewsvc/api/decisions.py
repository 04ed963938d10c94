"""The answer to a system that asks what became of its prediction."""

from typing import Any

import msgspec
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from reviewsvc.domain.decisions import STATUSES
from reviewsvc.usecases import decisions
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("decisions", __name__, url_prefix="/api/v1", description="Answers to who asked")


class DecisionAsked(Schema):
    """Which prediction is asked about; `source` is needed if several sources sent this id."""

    model = fields.String(required=True)
    prediction_id = fields.String(required=True, validate=validate.Length(1, 256))
    source = fields.String(load_default=None, validate=validate.Length(1, 200))


class Decision(Schema):
    """What became of a prediction (decisions/v1)."""

    model = fields.String(required=True)
    version = fields.String(required=True, allow_none=True)
    source = fields.String(required=True, allow_none=True)
    prediction_id = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    value = fields.Raw(required=True, allow_none=True)
    model_value = fields.Raw(required=True, allow_none=True)
    decided_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    reviewer = fields.String(required=True, allow_none=True)
    decision_id = fields.String(required=True, allow_none=True)
    entry_log = fields.String(required=True)
    entry_seq = fields.Integer(required=True)


@blueprint.get("/decisions")
@blueprint.arguments(DecisionAsked, location="query")
@blueprint.response(200, Decision)
@permission("decisions.see")
def get(asked: dict[str, Any]) -> dict[str, Any]:
    """Say what became of a prediction: auto, pending, decided, overdue, defaulted or withdrawn."""
    found, held = signed_in(), services()
    found.require("decisions.see", model=asked["model"])
    told = decisions.answer(
        held.desk,
        asked["model"],
        asked["prediction_id"],
        asked["source"],
        actor=found.actor,
        at=held.clock(),
        token=found.token_id,
    )
    shown: dict[str, Any] = msgspec.to_builtins(told)
    return shown
