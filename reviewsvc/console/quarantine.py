"""Events that could not be read: the list, one of them, and its bytes for who may see them."""

from typing import Any, Final

from flask import Blueprint, flash, render_template
from flask.typing import ResponseReturnValue

from reviewsvc.console.forms import Faults, Form, go, text
from reviewsvc.console.lists import ROWS, asked, asked_numbers, pager
from reviewsvc.console.subject_list import ASKED, LONGEST, PATH
from reviewsvc.domain.entries import Entry, Ref
from reviewsvc.domain.event_faults import FaultCode
from reviewsvc.domain.frames import Record
from reviewsvc.domain.moments import moment
from reviewsvc.usecases import erasures, quarantine
from reviewsvc.usecases.approvals import ApprovalStateError
from reviewsvc.usecases.quarantine import Kept
from reviewsvc.usecases.subjects import ReasonError, SubjectMissingError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("quarantine", __name__)

_PATH: Final = "/quarantine"
_MOST_SHOWN: Final = 100_000
_AGAIN: Final = "Correct it where the event is made, then send it again."
_ADVICE: Final = {
    FaultCode.TOMBSTONE: "An event without a value deletes nothing here: nothing needs to be done.",
    FaultCode.TOO_LARGE: "Send large inputs by reference, as input_ref with input_sha256.",
    FaultCode.UNKNOWN_MODEL: "Apply the model's contract, then send the event again.",
    FaultCode.NAN: "Send a finite number, or leave the member out where the contract allows it.",
}


@blueprint.get(_PATH)
@permission("quarantine.see")
def show() -> str:
    """List such events, the newest first."""
    desk, topic = services().desk, asked("topic")
    after = asked_numbers("after", 3)
    before = (after[0], after[1], after[2]) if after else None
    kept = quarantine.page(desk, before, ROWS, topic=topic or None)
    following = ".".join(map(str, kept[-1].place)) if len(kept) == ROWS else None
    return render_template(
        "quarantine.html",
        events=[_row(each) for each in kept],
        filters={"topic": topic},
        topics=[("", "Any"), *((name, name) for name in quarantine.topics(desk))],
        pager=pager(_PATH, following, topic=topic),
    )


@blueprint.get(f"{_PATH}/<int:log_id>/<int:seq>")
@permission("quarantine.see")
def show_one(log_id: int, seq: int) -> str:
    """Show where an event stands and why it could not be read."""
    return _page(*quarantine.get(services().desk, log_id, seq), opened=None)


@blueprint.post(f"{_PATH}/<int:log_id>/<int:seq>/open")
@permission("quarantine.see")
def show_raw(log_id: int, seq: int) -> str:
    """Show an event's bytes; that they were opened is logged."""
    held, found = services(), signed_in()
    found.require("payloads.open")
    kept, entry = quarantine.get(held.desk, log_id, seq)
    record = quarantine.open_raw(held.desk, kept.log, seq, actor=found.actor, at=held.clock())
    return _page(kept, entry, opened=record)


@blueprint.post(f"{_PATH}/<int:log_id>/<int:seq>/erase")
@permission("subjects.erase")
def erase(log_id: int, seq: int) -> ResponseReturnValue:
    """Ask for the erasure of one such event."""
    held = services()
    kept, entry = quarantine.get(held.desk, log_id, seq)
    try:
        made = erasures.request_event(
            held.sessions,
            held.keyring,
            Ref(kept.log, seq),
            text("reason", longest=LONGEST),
            actor=signed_in().actor,
            at=held.clock(),
            second_person="erase" in held.second_person,
        )
    except ReasonError as error:
        return _page(kept, entry, opened=None, form=Form(Faults(reason=str(error)))), 422
    except (SubjectMissingError, ApprovalStateError) as error:
        flash(str(error), "error")
        return go(f"{_PATH}/{log_id}/{seq}")
    flash(ASKED if made.status == "waiting" else "The erasure is being carried out")
    return go(f"{PATH}/erasures/{made.erasure_id}")


def _page(kept: Kept, entry: Entry, *, opened: Record | None, form: Form | None = None) -> str:
    source, payload = entry.src, entry.payload
    more = {
        "advice": _ADVICE.get(FaultCode(kept.reason), _AGAIN) if kept.reason in set(FaultCode) else _AGAIN,
        "topic_id": source.topic_id if source else None,
        "produced_at": moment(source.at) if source and source.at > 0 else None,
        "sha256": payload.sha256 if payload else "",
        "commit": payload.commit if payload else "",
    }
    return render_template(
        "quarantined.html",
        event=_row(kept) | more,
        may_open=signed_in().may("payloads.open"),
        may_erase=signed_in().may("subjects.erase"),
        is_gone=quarantine.is_gone(services().desk, entry),
        needs_two="erase" in services().second_person,
        days=services().backup_days,
        form=form or Form(),
        opened=_opened(opened) if opened else None,
    )


def _row(kept: Kept) -> dict[str, Any]:
    return kept._asdict() | {"log_id": kept.place[1], "reason": kept.text or kept.reason}


def _opened(record: Record) -> dict[str, Any]:
    value = record.value or b""
    return {
        "key": _text(record.key) if record.key is not None else None,
        "headers": [(name, _text(data) if data is not None else "null") for name, data in record.headers],
        "text": _text(value[:_MOST_SHOWN]) if record.value is not None else "no value",
        "is_cut": len(value) > _MOST_SHOWN,
    }


def _text(data: bytes) -> str:
    """Show bytes as text, each that is no text as its code."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(mark if mark.isprintable() or mark in "\n\t" else f"\\x{ord(mark):02x}" for mark in text)
