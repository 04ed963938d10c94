"""What the API says of a case: everything needed to decide it."""

from marshmallow import Schema, fields


class ModelVersion(Schema):
    """A model and its version."""

    name = fields.String(required=True)
    version = fields.String(required=True)


class ShownAnswer(Schema):
    """The model's answer; nothing of it but kind and unit while it is hidden (`blind`)."""

    kind = fields.String(required=True)
    blind = fields.Boolean(required=True)
    unit = fields.String(required=True, allow_none=True)
    value = fields.Raw(required=True, allow_none=True)
    label = fields.String(required=True)
    confidence = fields.Float(required=True, allow_none=True)
    band = fields.List(
        fields.Float(),
        required=True,
        allow_none=True,
        metadata={"description": "Where the share of right answers as sure as this one lies, 95 %"},
    )
    band_words = fields.String(required=True)


class Choice(Schema):
    """A class that can be answered."""

    value = fields.String(required=True)
    label = fields.String(required=True)
    score = fields.Float(required=True, allow_none=True)
    is_model = fields.Boolean(required=True)


class Input(Schema):
    """An input, labelled, with what is unusual about it."""

    name = fields.String(required=True)
    label = fields.String(required=True)
    value = fields.String(required=True, metadata={"description": "As people read it"})
    raw = fields.Raw(required=True, allow_none=True, metadata={"description": "As it was sent"})
    form = fields.String(required=True)
    about = fields.String(required=True)
    unit = fields.String(required=True)
    section = fields.String(required=True)
    unusual = fields.String(required=True)
    broken = fields.Boolean(required=True, metadata={"description": "Whether it breaks the contract"})


class Weight(Schema):
    """How far an input moved the answer; `part` is of the largest, from -1 to 1."""

    label = fields.String(required=True)
    value = fields.Float(required=True)
    part = fields.Float(required=True)


class MatchedRule(Schema):
    """A rule that brought the case to people."""

    words = fields.String(required=True)
    rule = fields.String(required=True)


class Happening(Schema):
    """Something that happened with the case or its subject."""

    at = fields.AwareDateTime(required=True)
    words = fields.String(required=True)
    by = fields.String(required=True, allow_none=True)


class Note(Schema):
    """What somebody wrote about the case."""

    at = fields.AwareDateTime(required=True)
    by = fields.String(required=True)
    text = fields.String(required=True)


class Case(Schema):
    """A task with its prediction; `token` and `lease_until` if it is in your hands."""

    id = fields.UUID(required=True)
    queue = fields.String(required=True)
    status = fields.String(required=True)
    token = fields.Integer(required=True, allow_none=True)
    lease_until = fields.AwareDateTime(required=True, allow_none=True)
    due_at = fields.AwareDateTime(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    overdue = fields.Boolean(required=True)
    question = fields.String(required=True)
    subject = fields.String(required=True)
    at = fields.AwareDateTime(required=True, metadata={"description": "When the model answered"})
    model = fields.Nested(ModelVersion, required=True)
    contract_version = fields.Integer(required=True)
    answer = fields.Nested(ShownAnswer, required=True)
    choices = fields.List(fields.Nested(Choice), required=True)
    inputs = fields.List(fields.Nested(Input), required=True)
    weights = fields.List(fields.Nested(Weight), required=True)
    reasons = fields.List(fields.Nested(MatchedRule), required=True)
    share_words = fields.String(required=True, allow_none=True)
    history = fields.List(fields.Nested(Happening), required=True)
    notes = fields.List(fields.Nested(Note), required=True)
    acts = fields.List(fields.String(), required=True)
