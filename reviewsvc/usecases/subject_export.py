"""All that is held of a subject, opened: for the person who asks what is known of them."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import approvals as asked
from reviewsvc.db import logs
from reviewsvc.db import subjects as rows
from reviewsvc.db.sessions import Session
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Entry, parse
from reviewsvc.domain.frames import Record, unframe
from reviewsvc.domain.labels import rfc3339
from reviewsvc.usecases import approvals, subjects
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.approvals import Approval, ApprovalMissingError, ApprovalStateError, SecondPersonError
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.keyring import KeyGoneError, PayloadGoneError

TAKEN_WITHIN: Final = timedelta(days=7)
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_GONE: Final = "no longer kept: its time of retention has passed"


class Exported(NamedTuple):
    """What is held of a subject: its pseudonym, its predictions as sent, and what was said about them."""

    subject: str
    pseudonym: str
    made_at: datetime
    predictions: list[dict[str, Any]]
    about: list[dict[str, Any]]

    def as_json(self) -> bytes:
        """Write it as one JSON object."""
        told = msgspec.to_builtins(self._asdict())
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"

    def as_text(self) -> str:
        """Write it for people to read."""
        return "\n".join(_lines(self)) + "\n"

    def as_zip(self) -> bytes:
        """Write both forms into one zip."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in (("subject.json", self.as_json()), ("subject.txt", self.as_text().encode())):
                archive.writestr(zipfile.ZipInfo(name, _EARLIEST), data)
        return made.getvalue()


def export(desk: Desk, subject: str, reason: str, *, actor: Actor, at: datetime) -> Exported:
    """Return all that is held of a subject; that it was given out is an entry.

    Raises SubjectMissingError, ReasonError.
    """
    reason = subjects.checked_reason(reason)
    with desk.work(actor, at) as work:
        key_id = subjects.key_of(work.session, desk.keyring, subject)
        return _export(work, key_id, subject, reason)


def ask(desk: Desk, subject: str, reason: str, *, actor: Actor, at: datetime) -> Approval:
    """Ask for an export, to be taken once a second person agrees. Raises what `export` raises."""
    approval_id = approvals.new_id(at)
    with desk.sessions.begin() as session:
        key_id = subjects.key_of(session, desk.keyring, subject)
        said = sf.ApprovalAsked(str(approval_id), asked.EXPORT, subject=key_id.hex())
        approvals.add(
            session, desk.keyring, approval_id, said, reason, actor=actor, at=at, second_person=True
        )
    return approvals.get(desk.sessions, desk.keyring, approval_id)


def take(desk: Desk, approval_id: UUID, *, actor: Actor, at: datetime) -> Exported:
    """Return what was asked for with `ask` and agreed to; only to who asked, within seven days.

    Each time is an entry. Raises ApprovalMissingError, ApprovalStateError, SecondPersonError,
    SubjectMissingError.
    """
    with desk.work(actor, at) as work:
        session = work.session
        row = asked.lock(session, approval_id)
        if row is None or row.act != asked.EXPORT:
            raise ApprovalMissingError("There is no such export.")
        if not subjects.is_same_person(session, row.requested_by, actor):
            raise SecondPersonError("Only who asked for this export may take it.")
        if row.status not in (asked.APPROVED, asked.DONE):
            raise ApprovalStateError(f"This export cannot be taken: it is {row.status}.")
        if at >= row.settled_at + TAKEN_WITHIN:
            raise ApprovalStateError("This export was agreed to more than seven days ago: ask again.")
        reason = approvals.reason_of(session, desk.keyring, row.log_id, row.seq) or ""
        if row.done_at is None:
            asked.save(session, approval_id, status=asked.DONE, done_at=at)
        return _export(work, bytes(row.key_id), None, reason)


def to_take(desk: Desk, *, actor: Actor, at: datetime) -> list[Approval]:
    """Return the exports that this person asked for and may take now."""
    with desk.sessions.begin() as session:
        found = asked.ready(session, asked.EXPORT, at - TAKEN_WITHIN, approvals.MOST)
        mine = [row for row in found if subjects.is_same_person(session, row.requested_by, actor)]
        return [approvals.read(session, desk.keyring, row) for row in mine]


def _export(work: Work, key_id: bytes, subject: str | None, reason: str) -> Exported:
    session, desk = work.session, work.desk
    if not rows.has_key(session, key_id):
        raise subjects.SubjectMissingError("This subject has been erased: nothing is kept any more.")
    kept = rows.kept(session, key_id)
    predictions = [_prediction(session, desk, row) for row in kept.predictions]
    about = [_about(session, desk, row) for row in rows.entries_about(session, kept)]
    said = sf.SubjectExport(key_id.hex(), len(predictions), len(about))
    act = Said("subject_export", said, secrets(reason=reason), about=key_id.hex())
    record(session, desk.keyring, [act], actor=work.actor, at=work.at)
    return Exported(subject or key_id.hex(), key_id.hex(), work.at, predictions, about)


def _prediction(session: Session, desk: Desk, row: sa.Row[Any]) -> dict[str, Any]:
    entry = parse(logs.one(session, row.log_id, row.seq))
    opened = _open(session, desk, entry, row.log_id)
    return {**_place(entry, row.log), "sent": _GONE if opened is None else _sent(unframe(opened))}


def _about(session: Session, desk: Desk, row: sa.Row[Any]) -> dict[str, Any]:
    entry = parse(bytes(row.body))
    opened = _open(session, desk, entry, row.log_id) if entry.payload else b"null"
    return {**_place(entry, row.log), "said": _GONE if opened is None else json.loads(opened)}


def _place(entry: Entry, log: str) -> dict[str, Any]:
    return {
        "log": log,
        "seq": entry.seq,
        "at": rfc3339(entry.at),
        "kind": entry.kind,
        "actor": subjects.said_by(entry.actor) if entry.actor else None,
        "facts": json.loads(bytes(entry.facts)),
    }


def _open(session: Session, desk: Desk, entry: Entry, log_id: int) -> bytes | None:
    try:
        return desk.keyring.open_payload(session, entry, log_id)
    except (KeyGoneError, PayloadGoneError):
        return None


def _sent(sent: Record) -> dict[str, Any]:
    """A Kafka record as text: what is no UTF-8 is shown by its codes."""
    return {
        "key": _text(sent.key),
        "headers": [[_text(name), _text(value)] for name, value in sent.headers],
        "value": _value(sent.value),
    }


def _value(value: bytes | None) -> object:
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return _text(value)


def _text(data: bytes | str | None) -> str | None:
    named = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return None if named is None else named.decode("utf-8", "backslashreplace")


def _lines(told: Exported) -> Iterator[str]:
    yield f"What is held of {told.subject}"
    yield f"Made {told.made_at:%Y-%m-%d %H:%M:%S}Z. In the logs this subject is called {told.pseudonym}."
    yield f"{len(told.predictions)} predictions, {len(told.about)} entries about them."
    for heading, member, entries in (
        ("Predictions", "sent", told.predictions),
        ("What was said and done about them", "said", told.about),
    ):
        yield from ("", heading, "=" * len(heading))
        for one in entries:
            yield from ("", f"{one['at']}  {one['kind']}  ({one['log']}, entry {one['seq']})")
            yield f"  by: {one['actor'] or 'the service'}"
            yield from _members("  ", one["facts"])
            yield from _members("  ", {member: one[member]})


def _members(indent: str, value: dict[str, Any]) -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, dict) and one:
            yield f"{indent}{name}:"
            yield from _members(f"{indent}  ", one)
        elif one is not None:
            yield f"{indent}{name}: {one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)}"
