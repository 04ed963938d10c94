"""The access report: who opened whose payload, on screen and as a file."""

from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template

from reviewsvc.console.audit_search import moment_of
from reviewsvc.console.lists import ROWS, asked, asked_numbers, pager
from reviewsvc.usecases import accesses
from reviewsvc.usecases.accesses import Cursor, Page, Wanted
from reviewsvc.usecases.searches import SearchError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("audit-accesses", __name__)

_PATH: Final = "/audit/access"


@blueprint.get(_PATH)
@permission("entries.read")
def show() -> str:
    """List opened payloads and exports, the newest first."""
    filters, after, fault = _filters(), asked_numbers("after", 3), None
    try:
        before = Cursor(*after) if after else None
        found = accesses.page(services().sessions, _wanted(filters), before, ROWS)
    except SearchError as error:
        found, fault = Page([], None), f"{error}."
    kept = {name: value for name, value in filters.items() if value}
    return render_template(
        "audit_access.html",
        accesses=found.items,
        filters=filters,
        fault=fault,
        file=f"{_PATH}.csv?{urlencode(kept)}",
        pager=pager(_PATH, found.next and ".".join(map(str, found.next)), **filters),
    )


@blueprint.get(f"{_PATH}.csv")
@permission("entries.export")
def download() -> Response:
    """Give the report as CSV; that it was taken is logged."""
    held, actor = services(), signed_in().actor
    lines = accesses.as_csv(held.sessions, held.keyring, _wanted(_filters()), actor=actor, at=held.clock())
    answer = Response(lines, content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename="opened-payloads.csv")
    return answer


def _filters() -> dict[str, str]:
    return {name: asked(name) for name in ("who", "since", "until")}


def _wanted(filters: dict[str, str]) -> Wanted:
    since, until = (moment_of(filters[name]) for name in ("since", "until"))
    return Wanted(who=filters["who"], since=since, until=until)
