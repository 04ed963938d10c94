"""The one table of what goes wrong: for each class of error its status, its code and its title."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from flask_wtf.csrf import CSRFError
from sqlalchemy import exc as database
from werkzeug.exceptions import HTTPException

from reviewsvc.db import logs, versions
from reviewsvc.domain import agreement, bundle, permissions, review
from reviewsvc.domain import labels as cursors
from reviewsvc.domain.tiles import TileError
from reviewsvc.usecases import (
    approvals,
    auth,
    bundle_parts,
    case_payloads,
    case_stories,
    claims,
    documents,
    dossiers,
    exports,
    holds,
    keyring,
    labels,
    people,
    quarantine,
    receipt_check,
    receipts,
    searches,
    sent_ids,
    subjects,
    tiles,
    tokens,
)
from reviewsvc.usecases import repeats as keys
from reviewsvc.web import actors, bodies, origins, repeats


class Known(NamedTuple):
    """How an error is told: by which status, which code for programs, which title for people."""

    status: int
    code: str
    title: str


TITLES: Final[Mapping[int, str]] = {
    400: "The request cannot be understood",
    401: "Sign in first",
    403: "This is not open to you",
    404: "Nothing is here",
    405: "That cannot be done this way",
    406: "There is no such form of it",
    409: "Someone was faster",
    410: "This is gone",
    413: "That is too much",
    415: "This form of data is not read here",
    422: "Something does not fit",
    429: "Too many tries",
    500: "That is our fault",
    503: "Not ready",
}

WORDS: Final[Mapping[int, str]] = {
    400: "Go back, reload the page and send it again.",
    401: "Your session has ended or you were not signed in.",
    403: "Your roles do not include it. Ask an administrator for a grant on this queue or model.",
    404: "It was moved, never existed, or is not open to you.",
    405: "Go back and use the button.",
    409: "It changed since you opened it. Open it again.",
    410: "The data was erased or withdrawn; its proof remains.",
    413: "Send less at once.",
    422: "Something in the form does not fit. Go back and correct it.",
    429: "Wait a few minutes, then try again.",
    500: "Nothing was saved. Tell the operator the request number.",
    503: "The database cannot be reached. Try again in a minute.",
}

_CLOSED: Final = "This case takes no more answers"
_STALE: Final = "This case went back to the queue"
_UNFIT: Final = TITLES[422]

TABLE: Final[Mapping[type[Exception], Known]] = {
    actors.NotSignedInError: Known(401, "not_signed_in", TITLES[401]),
    auth.LogInError: Known(401, "wrong_log_in", TITLES[401]),
    auth.TooManyLogInsError: Known(429, "too_many_log_ins", TITLES[429]),
    auth.TooManyReceiptsError: Known(429, "too_many_receipts", TITLES[429]),
    origins.CrossSiteError: Known(403, "cross_site", "This came from another site"),
    CSRFError: Known(400, "csrf", "The page was open too long"),
    permissions.PermissionDeniedError: Known(403, "not_granted", TITLES[403]),
    permissions.GrantError: Known(422, "unfit_grant", _UNFIT),
    people.PersonError: Known(422, "unfit_person", _UNFIT),
    people.PersonMissingError: Known(404, "person_missing", TITLES[404]),
    people.LoginTakenError: Known(409, "login_taken", "This login is taken"),
    tokens.TokenError: Known(422, "unfit_token", _UNFIT),
    documents.DocumentsError: Known(422, "unfit_document", "The document does not fit"),
    dossiers.TaskMissingError: Known(404, "task_missing", TITLES[404]),
    versions.QueueMissingError: Known(404, "queue_missing", TITLES[404]),
    versions.DocumentMissingError: Known(404, "document_missing", TITLES[404]),
    dossiers.ErasedError: Known(410, "erased", TITLES[410]),
    labels.ModelMissingError: Known(404, "model_missing", TITLES[404]),
    cursors.CursorError: Known(422, "unfit_cursor", _UNFIT),
    sent_ids.NotCapturedError: Known(404, "not_captured", TITLES[404]),
    sent_ids.SeveralSourcesError: Known(409, "several_sources", "Several predictions have this id"),
    quarantine.QuarantineMissingError: Known(404, "quarantine_missing", TITLES[404]),
    tiles.TileMissingError: Known(404, "tile_missing", TITLES[404]),
    TileError: Known(404, "tile_missing", TITLES[404]),
    logs.LogMissingError: Known(404, "entry_missing", TITLES[404]),
    case_stories.CaseMissingError: Known(404, "case_missing", TITLES[404]),
    bundle.QuestionError: Known(422, "unfit_question", "This cannot be asked"),
    bundle_parts.BundleError: Known(422, "unfit_question", "This cannot be asked"),
    exports.ExportMissingError: Known(404, "export_missing", TITLES[404]),
    exports.ExportEndedError: Known(409, "export_ended", "This has ended"),
    exports.NotYoursError: Known(403, "not_yours", TITLES[403]),
    case_payloads.ReasonError: Known(422, "unfit_reason", _UNFIT),
    searches.SearchError: Known(422, "unfit_search", _UNFIT),
    receipts.NotSealedError: Known(409, "not_sealed", "This is not sealed yet"),
    receipt_check.UnreadableError: Known(422, "unreadable_receipt", "This is no receipt"),
    keyring.KeyGoneError: Known(410, "erased", TITLES[410]),
    keyring.PayloadGoneError: Known(410, "not_kept", TITLES[410]),
    subjects.SubjectMissingError: Known(404, "subject_missing", TITLES[404]),
    subjects.ReasonError: Known(422, "unfit_reason", _UNFIT),
    subjects.HeldError: Known(409, "held", "A legal hold stands"),
    approvals.ApprovalMissingError: Known(404, "approval_missing", TITLES[404]),
    approvals.ApprovalStateError: Known(409, "approval_state", "That cannot be done now"),
    approvals.SecondPersonError: Known(403, "second_person", "A second person must agree"),
    holds.HoldMissingError: Known(404, "hold_missing", TITLES[404]),
    agreement.AnswerError: Known(422, "unfit_answer", "This is no answer here"),
    claims.SnoozeError: Known(422, "unfit_time", _UNFIT),
    review.StaleClaimError: Known(409, "stale_claim", _STALE),
    review.TaskClosedError: Known(409, "task_closed", _CLOSED),
    review.UndoError: Known(409, "undo_refused", "This answer stands"),
    review.AdjudicationError: Known(403, "adjudication_refused", TITLES[403]),
    review.ReviewError: Known(409, "not_allowed", "That cannot be done now"),
    keys.KeyReusedError: Known(422, "key_reused", "This key was used for another request"),
    repeats.UnfitKeyError: Known(400, "unfit_key", TITLES[400]),
    keys.StillAnsweringError: Known(503, "still_answering", "The first request is still being answered"),
    database.OperationalError: Known(503, "no_database", TITLES[503]),
    database.InterfaceError: Known(503, "no_database", TITLES[503]),
    database.TimeoutError: Known(503, "busy", TITLES[503]),
    database.DataError: Known(422, "unfit", _UNFIT),
    UnicodeEncodeError: Known(422, "unfit", _UNFIT),
    OverflowError: Known(422, "unfit", _UNFIT),
    bodies.UnfitBodyError: Known(400, "unfit_body", TITLES[400]),
}
_OURS: Final = ("reviewsvc.",)
# Python 3.13 calls them otherwise than 3.11; programs act on the code.
_RENAMED: Final[Mapping[int, str]] = {413: "content_too_large", 422: "unprocessable_content"}


def known(error: Exception) -> Known:
    """Return how an error is told; one that is in no table is our fault."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    if isinstance(error, HTTPException) and error.code is not None:
        phrase = HTTPStatus(error.code).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        return Known(error.code, _RENAMED.get(error.code, code), TITLES.get(error.code, phrase))
    return Known(500, "internal", TITLES[500])


def words(error: Exception, status: int) -> str:
    """Return what to tell of an error: its own text if it is ours, else what to do about its status."""
    is_ours = type(error).__module__.startswith(_OURS)
    return str(error) if is_ours and str(error) else WORDS.get(status, "")
