"""The story of a case on one page, and its payloads for who may open them."""

from typing import Final

import yaml
from flask import Blueprint, render_template

from reviewsvc.console.forms import text
from reviewsvc.domain.story_words import AUDIT_REASONS
from reviewsvc.usecases import case_payloads, case_stories
from reviewsvc.usecases.case_payloads import Opened
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("audit-cases", __name__)

_PATH: Final = "/audit/cases/<int:log_id>/<int:seq>"
_REASONS: Final = {
    "audit": "An audit",
    "complaint": "A complaint",
    "incident": "An incident",
    "request": "The subject asked",
}


@blueprint.get(_PATH)
@permission("entries.read")
def show(log_id: int, seq: int) -> str:
    """Tell the story of the case whose prediction stands there; no payload is opened."""
    return _page(log_id, seq, None)


@blueprint.post(f"{_PATH}/open")
@permission("entries.read")
def show_opened(log_id: int, seq: int) -> str:
    """Tell it with what its payloads say; that they were opened is logged."""
    held, found = services(), signed_in()
    model, queue = case_stories.place(held.desk, log_id, seq)
    found.require("payloads.open", model, queue)
    opened = case_payloads.open_case(
        held.desk, log_id, seq, text("why", longest=40), actor=found.actor, at=held.clock()
    )
    return _page(log_id, seq, opened)


def _page(log_id: int, seq: int, opened: Opened | None) -> str:
    found = signed_in()
    story = case_stories.tell_case(services().desk, log_id, seq)
    return render_template(
        "audit_case.html",
        story=story,
        rules=yaml.safe_dump(list(story.rules), sort_keys=False, allow_unicode=True) if story.rules else "",
        has_outcome=any(step.what == "outcome" for step in story.steps),
        may_open=found.may("payloads.open", story.model, story.queue),
        may_export=found.may("entries.export"),
        reasons=[(reason, _REASONS[reason]) for reason in AUDIT_REASONS],
        opened=opened,
    )
