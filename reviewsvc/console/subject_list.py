"""The page of subjects: what waits for a second person, erasures, holds, and the forms to ask for one."""

from typing import Any, Final
from uuid import UUID

from flask import render_template

from reviewsvc.console.forms import Form
from reviewsvc.console.lists import ROWS, asked_uuid, pager
from reviewsvc.usecases import approvals, erasures, holds, people, subject_export
from reviewsvc.usecases.approvals import Approval
from reviewsvc.usecases.erasures import Erasure
from reviewsvc.usecases.holds import Hold
from reviewsvc.usecases.people import PersonMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.services import services

PATH: Final = "/subjects"
LONGEST: Final = 2_000
ASKED: Final = "Asked for: it waits for a second person"
_STATUS: Final = {
    "waiting": ("waits for a second person", "alarm-clock"),
    "approved": ("being carried out", "clock"),
    "done": ("erased", "shield-check"),
    "refused": ("refused", "lock"),
}
_ACTS: Final = {
    "erase": "Erase",
    "export": "Export",
    "hold": "Hold",
    "release": "Release the hold on",
}


def page(*, erase: Form | None = None, export: Form | None = None, hold: Form | None = None) -> str:
    """Show what waits, erasures and holds, with the forms to ask for one: as typed, where one is at fault."""
    held, after, actor = services(), asked_uuid("after"), signed_in().actor
    last = erasures.get(held.sessions, held.keyring, after) if after else None
    before = (last.requested_at, last.erasure_id) if last else None
    found = erasures.page(held.sessions, held.keyring, before, ROWS)
    following = found[-1].erasure_id if len(found) == ROWS else None
    return render_template(
        "subjects.html",
        waiting=[_approval(one) for one in approvals.waiting(held.sessions, held.keyring)],
        to_take=[_approval(one) for one in subject_export.to_take(held.desk, actor=actor, at=held.clock())],
        erasures=[row_of(one) for one in found],
        holds=[_hold(one) for one in holds.every(held.sessions, held.keyring)],
        needs_two=held.second_person,
        days=held.backup_days,
        erase=erase or Form(),
        export=export or Form(),
        hold=hold or Form(),
        pager=pager(PATH, following),
    )


def is_mine(said_by: str) -> bool:
    """Say whether whoever is here did this."""
    here = signed_in()
    return said_by.partition(":")[2] in (here.actor.id, here.person.login)


def _approval(found: Approval) -> dict[str, Any]:
    by = {"requested_by": person_of(found.requested_by), "is_mine": is_mine(found.requested_by)}
    return found._asdict() | by | {"id": found.approval_id, "words": _ACTS[found.act]}


def row_of(found: Erasure) -> dict[str, Any]:
    """Say an erasure as a page shows it."""
    words, icon = _STATUS[found.status]
    return found._asdict() | {
        "id": found.erasure_id,
        "words": "held" if found.is_held else words,
        "icon": icon,
        "requested_by": person_of(found.requested_by),
        "settled_by": person_of(found.settled_by) if found.settled_by else None,
        "final_at": erasures.final_at(found, services().backup_days),
        "untold": sum(each.told_at is None for each in found.left),
    }


def _hold(found: Hold) -> dict[str, Any]:
    by = {"placed_by": person_of(found.placed_by), "id": found.hold_id}
    return found._asdict() | by | {"released_by": person_of(found.released_by) if found.released_by else None}


def person_of(said: str) -> str:
    """Say an actor, or a topic, so that a reader knows it."""
    kind, _, name = said.partition(":")
    if kind not in ("person", "token"):
        return name if kind == "cli" else said
    try:
        return people.get(services().sessions, UUID(name)).person.name
    except PersonMissingError:
        return name
