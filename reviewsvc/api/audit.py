"""What an auditor's programs ask: entries, stories, receipts, the logs' health, opened payloads."""

from dataclasses import fields
from typing import Any

import msgspec
from flask_smorest import Blueprint

from reviewsvc.api import audit_schemas as s
from reviewsvc.domain.anchoring import State
from reviewsvc.domain.entries import Ref
from reviewsvc.domain.moments import moment_of
from reviewsvc.usecases import (
    accesses,
    case_stories,
    log_lists,
    names,
    receipt_check,
    receipt_views,
    searches,
)
from reviewsvc.usecases.searches import Cursor, Found, Wanted
from reviewsvc.web.permissions import permission, public
from reviewsvc.web.services import services
from reviewsvc.web.strangers import count_receipt

blueprint = Blueprint("audit", __name__, url_prefix="/api/v1", description="What auditors read and verify")

_WANTED = tuple(each.name for each in fields(Wanted))


@blueprint.post("/audit/search")
@blueprint.arguments(s.SearchAsked)
@blueprint.response(200, s.FoundPage)
@permission("entries.read")
def search(asked: dict[str, Any]) -> dict[str, Any]:
    """Look for entries, the newest first, in bounded time: go on with `next` until it is null."""
    desk, wanted = services().desk, Wanted(**{name: asked[name] for name in _WANTED})
    found = searches.page(desk, wanted, _cursor(asked["after"]), asked["limit"])
    logs = names.of_logs(desk.sessions, {each.case[0] for each in found.items if each.case})
    return {
        "items": [_found(each, logs) for each in found.items],
        "next": found.next and _text(found.next),
        "looked_back_to": found.looked_back_to,
    }


@blueprint.get("/audit/case")
@blueprint.arguments(s.EntryPlace, location="query")
@blueprint.response(200, s.CaseStory)
@permission("entries.read")
def case(asked: dict[str, Any]) -> dict[str, Any]:
    """Tell the story of the case whose prediction stands there; no payload is opened."""
    desk = services().desk
    log_id = receipt_views.log_id(desk.sessions, asked["log"])
    story = case_stories.tell_case(desk, log_id, asked["seq"])
    return story._asdict() | {"steps": [step._asdict() for step in story.steps]}


@blueprint.get("/audit/receipt")
@blueprint.arguments(s.EntryPlace, location="query")
@blueprint.response(200, s.EntryReceipt)
@permission("entries.read")
def receipt(asked: dict[str, Any]) -> dict[str, Any]:
    """Prove that an entry stands in its log, and that the root log seals it."""
    held = services()
    view = receipt_views.of_name(held.sessions, held.prover, Ref(asked["log"], asked["seq"]))
    made = receipt_views.sealed(view)
    texts = {"entry": view.body.decode(), "proof": made.tlog_proof, "receipt": made.text().decode()}
    return {"log": view.log, "seq": asked["seq"], **texts}


@blueprint.post("/receipts/verify")
@blueprint.arguments(s.ReceiptGiven)
@blueprint.response(200, s.ReceiptChecked)
@public
def verify(asked: dict[str, Any]) -> dict[str, Any]:
    """Say whether a receipt holds, and what that means; open to everybody, so many times from an address."""
    count_receipt()
    return receipt_check.check(services().sessions, asked["receipt"], asked["entry"])._asdict()


@blueprint.get("/audit/logs")
@blueprint.response(200, s.LogsHealth)
@permission("entries.read")
def logs() -> dict[str, Any]:
    """Say how long each log is, how far it is sealed and since when."""
    found = log_lists.states(services().desk)
    return {
        "logs": [each._asdict() for each in found.logs],
        "entries": found.entries,
        "unsealed": found.unsealed,
        "verified": [each._asdict() for each in found.verified],
        "anchors": [_anchor(each) for each in found.anchored.anchors],
        "unanchored_since": moment_of(found.anchored.since),
        "troubles": [each._asdict() for each in found.troubles],
    }


@blueprint.get("/audit/access")
@blueprint.arguments(s.AccessAsked, location="query")
@blueprint.response(200, s.AccessPage)
@permission("entries.read")
def access(asked: dict[str, Any]) -> dict[str, Any]:
    """List who opened whose payload, when and why, the newest first."""
    wanted = accesses.Wanted(who=asked["who"], since=asked["since"], until=asked["until"])
    after = accesses.Cursor(*_cursor(asked["after"]) or accesses.NEWEST)
    found = accesses.page(services().sessions, wanted, after, asked["limit"])
    return {"items": [each._asdict() for each in found.items], "next": found.next and _text(found.next)}


def _anchor(state: State) -> dict[str, Any]:
    times = {"kept_at": moment_of(state.kept_at), "since": moment_of(state.since)}
    return msgspec.structs.asdict(state) | times


def _found(found: Found, logs: dict[int, str]) -> dict[str, Any]:
    case = None if found.case is None else {"log": logs[found.case[0]], "seq": found.case[1]}
    return found._asdict() | {"case": case}


def _cursor(text: str) -> Cursor | None:
    return Cursor(*map(int, text.split("."))) if text else None


def _text(cursor: tuple[int, ...]) -> str:
    return ".".join(map(str, cursor))
