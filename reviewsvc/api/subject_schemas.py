"""What the API says and takes about subjects: erasures, exports and legal holds."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from reviewsvc.api.task_schemas import LONGEST_PAGE
from reviewsvc.usecases.approvals import ACTS
from reviewsvc.usecases.subjects import LONGEST_REASON

_LONGEST = 1_000
_SUBJECT = {"description": "What producers call the subject"}
_REASON = {"description": "Kept, as the payload of an entry: name a letter or a ticket, not a person"}


def _text(**metadata: Any) -> fields.String:  # noqa: ANN401 - passed on to marshmallow
    return fields.String(validate=validate.Length(1, _LONGEST), metadata=metadata)


class SubjectAsked(Schema):
    """A subject, and why something is done with what is kept of it."""

    subject = fields.String(required=True, validate=validate.Length(1, _LONGEST), metadata=_SUBJECT)
    reason = fields.String(required=True, validate=validate.Length(1, LONGEST_REASON), metadata=_REASON)


class ReasonGiven(Schema):
    """Why."""

    reason = fields.String(required=True, validate=validate.Length(1, LONGEST_REASON), metadata=_REASON)


class ErasuresAsked(Schema):
    """Which part of the list is asked for."""

    after = fields.UUID(load_default=None, metadata={"description": "`next` of the page before"})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class LeftItem(Schema):
    """Something that had left before the erasure, and whether its receiver was told."""

    item = fields.Integer(required=True)
    kind = fields.String(
        required=True,
        metadata={
            "description": "source, topic, labels, answers (perhaps), bundle, download or subject_export"
        },
    )
    receiver = fields.String(
        required=True,
        metadata={"description": "A topic; else who took it: `person:ID`, `cli:USER`, `token:PERSON:TOKEN`"},
    )
    name = fields.String(required=True, metadata={"description": "What the receiver is called"})
    amount = fields.Integer(required=True)
    last_at = fields.Integer(required=True, allow_none=True, metadata={"description": "Microseconds"})
    told_by = fields.String(required=True, allow_none=True)
    told_at = fields.AwareDateTime(required=True, allow_none=True)


class Progress(Schema):
    """How far an act that a steward asked for has come: who did what, and when."""

    status = fields.String(required=True, validate=validate.OneOf(["waiting", "approved", "done", "refused"]))
    requested_by = fields.String(required=True)
    requested_at = fields.AwareDateTime(required=True)
    settled_by = fields.String(required=True, allow_none=True)
    settled_at = fields.AwareDateTime(required=True, allow_none=True)
    done_at = fields.AwareDateTime(required=True, allow_none=True)


class ErasureState(Progress):
    """An erasure that was asked for, and what became of it."""

    erasure_id = fields.UUID(required=True)
    subject = fields.String(required=True, metadata={"description": "The pseudonym in entries"})
    final_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "When the last backup with the key expires"}
    )
    is_held = fields.Boolean(required=True, metadata={"description": "A legal hold stands against it"})
    reason = fields.String(required=True, allow_none=True)
    left = fields.List(fields.Nested(LeftItem), required=True)
    event = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Of one event that could not be read: its log and seq"},
    )


class ErasurePage(Schema):
    """A part of the list, the newest first."""

    items = fields.List(fields.Nested(ErasureState), required=True)
    next = fields.UUID(required=True, allow_none=True)


class SubjectExported(Schema):
    """All that is held of a subject."""

    subject = fields.String(required=True)
    pseudonym = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    predictions = fields.List(fields.Dict(), required=True)
    about = fields.List(fields.Dict(), required=True)


class ApprovalState(Progress):
    """What somebody asked for, which a second person agrees to or refuses."""

    approval_id = fields.UUID(required=True)
    act = fields.String(required=True, validate=validate.OneOf(ACTS))
    about = fields.String(required=True, validate=validate.OneOf(["subject", "event", "model", "case"]))
    name = fields.String(
        required=True, metadata={"description": "A subject by its pseudonym, a case by its keyed hash"}
    )
    reason = fields.String(required=True, allow_none=True)


class ApprovalList(Schema):
    """What waits for a second person, the oldest first; 500 at most."""

    items = fields.List(fields.Nested(ApprovalState), required=True)
    next = fields.String(required=True, allow_none=True)


class HoldAsked(ReasonGiven):
    """What to hold: a subject; or a model, or one case of it."""

    subject = _text(description="What producers call the subject")
    model = _text(description="A model's name")
    prediction_id = _text(description="With `model`: one case of it")
    source = _text(description="With `prediction_id`: whose prediction, if several sources sent it")

    @validates_schema
    def _one_thing(self, data: dict[str, Any], **_: object) -> None:
        if ("subject" in data) == ("model" in data) or ("prediction_id" in data and "model" not in data):
            raise ValidationError("Name a subject, or a model with or without a prediction_id.")


class HoldState(Schema):
    """A legal hold, standing until it is released."""

    hold_id = fields.UUID(required=True)
    on = fields.String(required=True, validate=validate.OneOf(["subject", "event", "model", "case"]))
    name = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    placed_by = fields.String(required=True)
    placed_at = fields.AwareDateTime(required=True)
    released_by = fields.String(required=True, allow_none=True)
    released_at = fields.AwareDateTime(required=True, allow_none=True)
    released_reason = fields.String(required=True, allow_none=True)


class HoldList(Schema):
    """Legal holds: those that stand first; 500 at most."""

    items = fields.List(fields.Nested(HoldState), required=True)
    next = fields.String(required=True, allow_none=True)
