"""What people and commands did, as it stands in the activity logs."""

from typing import Any, Final

from flask import Blueprint, render_template

from reviewsvc.console.activity_words import KINDS, said
from reviewsvc.console.audit_search import moment_of
from reviewsvc.console.lists import ROWS, asked, asked_numbers, pager
from reviewsvc.domain.moments import moment
from reviewsvc.domain.projections import ActivityRow
from reviewsvc.usecases import activity, names
from reviewsvc.usecases.activity import Cursor
from reviewsvc.usecases.searches import SearchError
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("activity", __name__)

_PATH: Final = "/activity"
_FILTERS: Final = ("kind", "actor", "since", "until")


@blueprint.get(_PATH)
@permission("entries.read")
def show() -> str:
    """List acts, the newest first."""
    sessions = services().sessions
    filters, after, fault = {name: asked(name) for name in _FILTERS}, asked_numbers("after", 3), None
    kind, actor = filters["kind"], filters["actor"]
    found: list[ActivityRow] = []
    try:
        found = activity.recent(
            sessions,
            before=Cursor(*after) if after else None,
            limit=ROWS,
            kinds=KINDS[kind].kinds if kind in KINDS else None,
            actors=names.actors_called(sessions, actor) if actor else None,
            since=moment_of(filters["since"]),
            until=moment_of(filters["until"]),
        )
    except SearchError as error:
        fault = f"{error}."
    last = found[-1] if len(found) == ROWS else None
    return render_template(
        "activity.html",
        entries=_rows(found),
        filters=filters,
        fault=fault,
        kinds=[("", "Everything"), *((name, group.words) for name, group in KINDS.items())],
        pager=pager(_PATH, last and f"{last.at}.{last.log_id}.{last.seq}", **filters),
    )


def _rows(found: list[ActivityRow]) -> list[dict[str, Any]]:
    sessions = services().sessions
    objects = [row.object for row in found if row.object and row.object.startswith("person:")]
    called = names.of_actors(sessions, [*(row.actor for row in found), *objects])
    logs = names.of_logs(sessions, (row.log_id for row in found))
    facts = activity.facts_of(sessions, found)
    return [
        {
            "log_id": row.log_id,
            "log": logs[row.log_id],
            "seq": row.seq,
            "at": moment(row.at),
            "kind": row.kind,
            "words": said(
                row.kind, row.object, called.get(row.object or ""), facts.get((row.log_id, row.seq), {})
            ),
            "actor": called[row.actor],
            "task_id": row.task_id,
        }
        for row in found
    ]
