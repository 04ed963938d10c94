"""What the API says and reads of queues, tasks and answers."""

from typing import Final

from marshmallow import Schema, fields, validate

from reviewsvc.domain.review import Status
from reviewsvc.usecases.answers import LONGEST_NOTE
from reviewsvc.usecases.claims import MOST_AT_ONCE

LONGEST_PAGE: Final = 500
_LONGEST_REASON: Final = 1_000
_LARGEST_TOKEN: Final = 2**62


class Queue(Schema):
    """A queue, what waits in it, and the asker's part."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    instructions = fields.String(required=True)
    pending = fields.Integer(required=True, metadata={"description": "Tasks that want an answer"})
    due_soon = fields.Integer(required=True, metadata={"description": "Due within the hour"})
    overdue = fields.Integer(required=True)
    disputed = fields.Integer(required=True, metadata={"description": "Tasks that wait for adjudication"})
    oldest_at = fields.AwareDateTime(required=True, allow_none=True)
    held = fields.Integer(required=True, metadata={"description": "In your hands now"})
    decided_today = fields.Integer(required=True, metadata={"description": "By you, since midnight UTC"})


class Queues(Schema):
    """All queues that may be seen."""

    items = fields.List(fields.Nested(Queue), required=True)
    next = fields.String(required=True, allow_none=True)


class Claim(Schema):
    """How many tasks to take."""

    count = fields.Integer(load_default=1, validate=validate.Range(1, MOST_AT_ONCE))
    skip = fields.List(
        fields.UUID(),
        load_default=list,
        validate=validate.Length(max=100),
        metadata={"description": "Tasks that are not wanted now"},
    )


class Held(Schema):
    """A task in your hands: send the token with whatever you do with it."""

    task = fields.UUID(required=True)
    token = fields.Integer(required=True)
    lease_until = fields.AwareDateTime(required=True)


class Claimed(Schema):
    """What was taken; fewer than asked if fewer wait."""

    items = fields.List(fields.Nested(Held), required=True)


class TasksPage(Schema):
    """Which part of the list is asked for."""

    queue = fields.String(load_default=None)
    status = fields.String(load_default=None, validate=validate.OneOf([each.value for each in Status]))
    mine = fields.Boolean(load_default=False, metadata={"description": "Only what is in your hands"})
    after = fields.UUID(load_default=None, metadata={"description": "`next` of the page before"})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class Task(Schema):
    """A task without its prediction."""

    task_id = fields.UUID(required=True)
    queue = fields.String(required=True)
    model = fields.String(required=True)
    status = fields.String(required=True)
    priority = fields.Integer(required=True)
    reviewers = fields.Integer(required=True)
    blind = fields.Boolean(required=True)
    rule = fields.String(required=True)
    reasons = fields.List(fields.String(), required=True)
    selection_probability = fields.Float(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    due_at = fields.AwareDateTime(required=True, allow_none=True)
    closed_at = fields.AwareDateTime(required=True, allow_none=True)
    overdue = fields.Boolean(required=True)
    escalated = fields.Boolean(required=True)


class Tasks(Schema):
    """A part of the list of tasks."""

    items = fields.List(fields.Nested(Task), required=True)
    next = fields.UUID(required=True, allow_none=True)


class ClaimToken(Schema):
    """The token of the claim."""

    token = fields.Integer(required=True, validate=validate.Range(0, _LARGEST_TOKEN))


class ActReason(ClaimToken):
    """Why, in words that only those see who may open the case."""

    reason = fields.String(required=True, validate=validate.Length(1, _LONGEST_REASON))


class Rest(ClaimToken):
    """Until when a task is put off."""

    until = fields.AwareDateTime(required=True)


class Verdict(Schema):
    """An answer: a class, a number or a text, as the model's contract says."""

    value = fields.Raw(required=True)
    note = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class Answer(Verdict):
    """An answer under a claim."""

    token = fields.Integer(required=True, validate=validate.Range(0, _LARGEST_TOKEN))


class Decided(Schema):
    """A decision that stands."""

    decision_id = fields.UUID(required=True)
    task = fields.UUID(required=True)
    value = fields.Raw(required=True)
    agreed = fields.Boolean(required=True, metadata={"description": "Whether it is the model's answer"})
    status = fields.String(required=True, metadata={"description": "Of the task, after it"})
    undo_until = fields.AwareDateTime(required=True, allow_none=True)


class Undo(Schema):
    """Whether the task is wanted back."""

    hold = fields.Boolean(load_default=False)


class Undone(Schema):
    """A task whose answer was taken back; with token and lease if it is in your hands again."""

    task = fields.UUID(required=True)
    status = fields.String(required=True)
    token = fields.Integer(required=True, allow_none=True)
    lease_until = fields.AwareDateTime(required=True, allow_none=True)


class Escalated(Schema):
    """Where a task went."""

    queue = fields.String(required=True)
