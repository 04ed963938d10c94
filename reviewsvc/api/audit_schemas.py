"""What the auditor's part of the API takes and gives."""

from marshmallow import Schema, fields, validate

from reviewsvc.api.task_schemas import LONGEST_PAGE
from reviewsvc.usecases.export_questions import KINDS as QUESTIONS
from reviewsvc.usecases.exports import LONGEST_PURPOSE
from reviewsvc.usecases.receipt_check import LONGEST
from reviewsvc.usecases.searches import KINDS

_CURSOR = validate.Regexp(r"^(\d{1,19}\.\d{1,10}\.\d{1,19})?$")
_SHORT = validate.Length(0, 512)


class SearchAsked(Schema):
    """What is looked for; what is left out is not asked. It is posted, so that no id stands in an address."""

    kind = fields.String(load_default="prediction", validate=validate.OneOf(list(KINDS)))
    prediction_id = fields.String(load_default="", validate=_SHORT)
    subject = fields.String(load_default="", validate=_SHORT)
    model = fields.String(load_default="", validate=_SHORT)
    version = fields.String(load_default="", validate=_SHORT)
    reviewer = fields.String(load_default="", validate=_SHORT, metadata={"description": "A login"})
    decision = fields.String(load_default="", validate=_SHORT, metadata={"description": "An answer's value"})
    since = fields.AwareDateTime(load_default=None, data_key="from")
    until = fields.AwareDateTime(load_default=None)
    after = fields.String(
        load_default="", validate=_CURSOR, metadata={"description": "`next` of the page before"}
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class EntryPlace(Schema):
    """Where an entry stands."""

    log = fields.String(required=True)
    seq = fields.Integer(required=True, validate=validate.Range(0, 2**62))


class FoundEntry(Schema):
    """An entry that fits; `case` is where the prediction of its case stands."""

    at = fields.AwareDateTime(required=True)
    kind = fields.String(required=True)
    log = fields.String(required=True)
    seq = fields.Integer(required=True)
    model = fields.String(required=True, allow_none=True)
    version = fields.String(required=True, allow_none=True)
    said = fields.String(required=True, allow_none=True)
    confidence = fields.Float(required=True, allow_none=True)
    by = fields.String(required=True, allow_none=True)
    queue = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, allow_none=True)
    case = fields.Nested(EntryPlace, required=True, allow_none=True)


class FoundPage(Schema):
    """A page of what fits, the newest first; it may be short, and yet have a next one."""

    items = fields.List(fields.Nested(FoundEntry), required=True)
    next = fields.String(required=True, allow_none=True)
    looked_back_to = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Until when was looked; what is older waits for the next page"},
    )


class StoryStep(Schema):
    """One step of a case; what stands in no log has no entry."""

    what = fields.String(required=True)
    words = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    by = fields.String(required=True, allow_none=True)
    facts = fields.List(fields.List(fields.String()), required=True)
    log = fields.String(required=True, allow_none=True)
    seq = fields.Integer(required=True, allow_none=True)
    is_sealed = fields.Boolean(required=True)


class CaseStory(Schema):
    """All that happened with a case, the oldest first, without any payload."""

    log = fields.String(required=True)
    seq = fields.Integer(required=True)
    model = fields.String(required=True)
    version = fields.String(required=True)
    queue = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)
    task_id = fields.UUID(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True, metadata={"description": "The pseudonym"})
    steps = fields.List(fields.Nested(StoryStep), required=True)
    rules = fields.List(fields.Dict(), required=True)
    is_erased = fields.Boolean(required=True)
    is_kept = fields.Boolean(required=True, metadata={"description": "Its payload is still stored"})


class EntryReceipt(Schema):
    """An entry with its proofs, as texts; each is exactly what the file of that name holds."""

    log = fields.String(required=True)
    seq = fields.Integer(required=True)
    entry = fields.String(required=True, metadata={"description": "The entry's bytes"})
    proof = fields.String(required=True, metadata={"description": "C2SP tlog-proof of the entry"})
    receipt = fields.String(required=True, metadata={"description": "What reviewsvc-verify reads"})


class ReceiptGiven(Schema):
    """A receipt, or a tlog-proof with its entry's bytes."""

    receipt = fields.String(required=True, validate=validate.Length(1, LONGEST))
    entry = fields.String(load_default="", validate=validate.Length(0, LONGEST))


class ReceiptChecked(Schema):
    """Whether a receipt holds, and what that means."""

    verdict = fields.String(required=True, validate=validate.OneOf(["VERIFIED", "TAMPERED", "INCOMPLETE"]))
    words = fields.String(required=True)
    shown = fields.List(fields.String(), required=True)
    unproved = fields.List(fields.String(), required=True)
    remark = fields.String(required=True)


class LogHealth(Schema):
    """One log: how long, how far it is sealed and since when."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    is_frozen = fields.Boolean(required=True)
    size = fields.Integer(required=True)
    last_at = fields.AwareDateTime(required=True, allow_none=True)
    sealed = fields.Integer(required=True, allow_none=True)
    sealed_at = fields.AwareDateTime(required=True, allow_none=True)
    unsealed_since = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When the first entry came that is not sealed"},
    )
    anchored = fields.Integer(required=True, allow_none=True)


class AnchorHealth(Schema):
    """How far an anchor is with the root log; `since` is when what it lacks was first signed."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    place = fields.String(required=True)
    size = fields.Integer(required=True)
    kept_at = fields.AwareDateTime(required=True, allow_none=True)
    since = fields.AwareDateTime(required=True, allow_none=True)
    outcome = fields.String(required=True, allow_none=True)
    why = fields.String(required=True, allow_none=True)


class Verified(Schema):
    """How the worker's last verification of everything (`all`) or of what was new (`new`) ended."""

    what = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    verdict = fields.String(required=True)
    entries = fields.Integer(required=True)
    findings = fields.Integer(required=True)
    log = fields.String(required=True, allow_none=True)
    seq = fields.Integer(required=True, allow_none=True)


class StepTrouble(Schema):
    """A step of the worker that fails, since when, and why."""

    step = fields.String(required=True)
    since = fields.AwareDateTime(required=True)
    why = fields.String(required=True)


class LogsHealth(Schema):
    """Every log, the root first, every anchor, the last verifications, and the worker's steps that fail."""

    items = fields.List(fields.Nested(LogHealth), required=True, attribute="logs")
    entries = fields.Integer(required=True)
    unsealed = fields.Integer(required=True)
    verified = fields.List(fields.Nested(Verified), required=True)
    anchors = fields.List(fields.Nested(AnchorHealth), required=True)
    unanchored_since = fields.AwareDateTime(required=True, allow_none=True)
    troubles = fields.List(fields.Nested(StepTrouble), required=True)


class AccessAsked(Schema):
    """Which part of the access report; `who` is a part of a name or login."""

    who = fields.String(load_default="", validate=_SHORT)
    since = fields.AwareDateTime(load_default=None, data_key="from")
    until = fields.AwareDateTime(load_default=None)
    after = fields.String(load_default="", validate=_CURSOR)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class Access(Schema):
    """A payload that was opened, or payloads that left."""

    at = fields.AwareDateTime(required=True)
    who = fields.String(required=True)
    actor = fields.String(required=True)
    kind = fields.String(required=True)
    why = fields.String(required=True)
    model = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True, metadata={"description": "The pseudonym"})
    log = fields.String(required=True)
    seq = fields.Integer(required=True)


class AccessPage(Schema):
    """A page of the access report, the newest first."""

    items = fields.List(fields.Nested(Access), required=True)
    next = fields.String(required=True, allow_none=True)


class ExportAsked(Schema):
    """An auditor's question and what the bundle is for; which members are needed depends on the kind."""

    kind = fields.String(required=True, validate=validate.OneOf(list(QUESTIONS)))
    purpose = fields.String(required=True, validate=validate.Length(1, LONGEST_PURPOSE))
    logs = fields.List(fields.String(), load_default=list, validate=validate.Length(0, 1000))
    model = fields.String(load_default="", validate=_SHORT)
    prediction_id = fields.String(load_default="", validate=_SHORT)
    source = fields.String(load_default="", validate=_SHORT)
    subject = fields.String(load_default="", validate=_SHORT)
    reviewer = fields.String(load_default="", validate=_SHORT, metadata={"description": "A login"})
    queue = fields.String(load_default="", validate=_SHORT)
    since = fields.AwareDateTime(load_default=None, data_key="from")
    until = fields.AwareDateTime(load_default=None)


class Export(Schema):
    """A bundle that was asked for; only its asker sees words and purpose, and may take it."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    by = fields.String(required=True)
    is_mine = fields.Boolean(required=True)
    words = fields.String(required=True, allow_none=True)
    purpose = fields.String(required=True, allow_none=True)
    asked_at = fields.AwareDateTime(required=True)
    state = fields.String(required=True)
    done = fields.Integer(required=True, metadata={"description": "Entries brought in"})
    wanted = fields.Integer(required=True, allow_none=True, metadata={"description": "Entries in all"})
    disclosed = fields.Integer(required=True, allow_none=True)
    withheld = fields.Integer(required=True, allow_none=True)
    size = fields.Integer(required=True, allow_none=True, metadata={"description": "In bytes"})
    fault = fields.String(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    downloads = fields.Integer(required=True)
    downloaded_at = fields.AwareDateTime(required=True, allow_none=True)


class ExportsAsked(Schema):
    """Which part of the list is asked for."""

    after = fields.String(load_default="", validate=_SHORT)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LONGEST_PAGE))


class ExportPage(Schema):
    """A part of the list, the newest first."""

    items = fields.List(fields.Nested(Export), required=True)
    next = fields.String(required=True, allow_none=True)
