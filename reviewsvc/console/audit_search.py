"""Search: what an auditor looks for, asked by a form that is posted, so that no id stands in an address."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from reviewsvc.console.forms import number, text
from reviewsvc.console.frame import local_now
from reviewsvc.console.lists import ROWS
from reviewsvc.usecases import searches, task_lists
from reviewsvc.usecases.searches import Cursor, Found, Page, SearchError, Wanted
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("audit-search", __name__)

_PATH: Final = "/audit"
_LONGEST: Final = 512
_NAMES: Final = (
    "kind",
    "prediction_id",
    "subject",
    "model",
    "version",
    "reviewer",
    "decision",
    "since",
    "until",
)
WORDS: Final = {
    "prediction": "Prediction",
    "decision": "Answer",
    "retraction": "Answer taken back",
    "task_moved": "Case moved on",
    "access": "Payload opened",
    "label": "Label",
    "label withdrawn": "Label withdrawn",
}


@blueprint.get(_PATH)
@permission("entries.read")
def show() -> str:
    """Show the form, and the newest predictions."""
    return _page({"kind": "prediction"}, None)


@blueprint.post(_PATH)
@permission("entries.read")
def find() -> str:
    """Show what fits, the newest first."""
    typed = {name: text(name, longest=_LONGEST).strip() for name in _NAMES}
    return _page({**typed, "kind": typed["kind"] or "prediction"}, _after())


def moment_of(typed: str) -> datetime | None:
    """Read a moment of a form, in the zone of whoever is here. Raises SearchError."""
    if not typed:
        return None
    try:
        found = datetime.fromisoformat(typed)
    except ValueError as error:
        raise SearchError(f"{typed[:40]!r} is no time, such as 2026-11-21T09:00") from error
    return found if found.tzinfo else found.replace(tzinfo=local_now().tzinfo)


def _page(filters: dict[str, str], after: Cursor | None) -> str:
    desk, fault = services().desk, None
    try:
        found = searches.page(desk, _wanted(filters), after, ROWS)
    except SearchError as error:
        found, fault = Page([], None, None), f"{str(error)[0].upper()}{str(error)[1:]}."
    return render_template(
        "audit_search.html",
        filters=filters,
        kinds=[(kind, WORDS[kind]) for kind in searches.KINDS],
        models=[("", "Any"), *((name, name) for name in task_lists.names(desk)[1])],
        found=[_row(each) for each in found.items],
        next=found.next and ".".join(map(str, found.next)),
        looked_back_to=found.looked_back_to,
        fault=fault,
    )


def _wanted(filters: dict[str, str]) -> Wanted:
    plain = {name: value for name, value in filters.items() if name not in {"since", "until"}}
    since, until = (moment_of(filters.get(name, "")) for name in ("since", "until"))
    return replace(Wanted(**plain), since=since, until=until)  # type: ignore[arg-type] # all that is left is text


def _after() -> Cursor | None:
    parts = request.form.get("after", "").split(".")
    if parts == [""]:
        return None
    if len(parts) != len(Cursor._fields):
        raise BadRequest
    return Cursor(*map(number, parts))


def _row(found: Found) -> dict[str, Any]:
    return found._asdict() | {"words": WORDS.get(found.kind, found.kind)}
