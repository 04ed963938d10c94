"""Erasures: asked for, followed, and whom to tell of what had left."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from reviewsvc.db import approvals as asked
from reviewsvc.db import erasures as rows
from reviewsvc.db import holds
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.usecases import approvals, quarantine, receivers, subjects
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.approvals import ApprovalMissingError, ApprovalStateError
from reviewsvc.usecases.keyring import Keyring


class Left(NamedTuple):
    """Something that had left: what, to whom, how much, when last; and who told the receiver, when.

    `name` is what the receiver is called: a person, a person's token, a topic.
    """

    item: int
    kind: str
    receiver: str
    name: str
    amount: int
    last_at: int | None
    told_by: str | None
    told_at: datetime | None


class Erasure(NamedTuple):
    """An erasure that was asked for: the subject's pseudonym, where it stands, who did what and when.

    `event` is the log and seq of a quarantined event, whose own key it is that `subject` names then.
    """

    erasure_id: UUID
    subject: str
    status: str
    requested_by: str
    requested_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    done_at: datetime | None
    is_held: bool
    reason: str | None
    left: Sequence[Left]
    event: str | None = None


def final_at(told: Erasure, backup_days: int) -> datetime | None:
    """Return when the last backup that may hold the key has expired; None while it is not erased."""
    return None if told.done_at is None else told.done_at + timedelta(days=backup_days)


def request(
    sessions: Sessions,
    keyring: Keyring,
    subject: str,
    reason: str,
    *,
    actor: Actor,
    at: datetime,
    second_person: bool = False,
) -> Erasure:
    """Ask for the erasure of a subject; without a second person it is agreed to at once.

    Raises SubjectMissingError, ReasonError, HeldError, and ApprovalStateError if it was asked for already.
    """
    erasure_id = approvals.new_id(at)
    with sessions.begin() as session:
        key_id = subjects.key_of(session, keyring, subject)
        said = sf.ErasureAsked(str(erasure_id), key_id.hex())
        _ask(session, keyring, said, reason, actor=actor, at=at, second_person=second_person)
    return get(sessions, keyring, erasure_id)


def request_event(
    sessions: Sessions,
    keyring: Keyring,
    place: Ref,
    reason: str,
    *,
    actor: Actor,
    at: datetime,
    second_person: bool = False,
) -> Erasure:
    """Ask for the erasure of one event that could not be read; nobody knows whom it is about.

    Raises QuarantineMissingError, SubjectMissingError once it is erased, ReasonError and ApprovalStateError.
    """
    erasure_id = approvals.new_id(at)
    with sessions.begin() as session:
        key_id = quarantine.key_of(session, place.log, place.seq)
        said = sf.ErasureAsked(str(erasure_id), key_id.hex(), place.log, place.seq)
        _ask(session, keyring, said, reason, actor=actor, at=at, second_person=second_person)
    return get(sessions, keyring, erasure_id)


def tell(
    sessions: Sessions, keyring: Keyring, erasure_id: UUID, item: int, *, actor: Actor, at: datetime
) -> Erasure:
    """Note that a receiver was told of an erasure; said again it changes nothing.

    Raises ApprovalMissingError.
    """
    with sessions.begin() as session:
        row = asked.lock(session, erasure_id)
        if row is None or item not in {each.item for each in rows.left(session, erasure_id)}:
            raise ApprovalMissingError("There is no such erasure, or nothing of this number had left.")
        if rows.tell(session, erasure_id, item, by=subjects.said_by(actor), at=at):
            said = Said(
                "receiver_told", sf.ReceiverTold(str(erasure_id), item), about=bytes(row.key_id).hex()
            )
            record(session, keyring, [said], actor=actor, at=at)
    return get(sessions, keyring, erasure_id)


def get(sessions: Sessions, keyring: Keyring, erasure_id: UUID) -> Erasure:
    """Return an approval with its reason and with what had left. Raises ApprovalMissingError."""
    with sessions.begin() as session:
        row = asked.get(session, erasure_id)
        if row is None or row.act != asked.ERASE:
            raise ApprovalMissingError("There is no such erasure.")
        return _erasure(session, keyring, row)


def page(
    sessions: Sessions, keyring: Keyring, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[Erasure]:
    """Return approvals, the newest first."""
    with sessions.begin() as session:
        return [_erasure(session, keyring, row) for row in asked.page(session, [asked.ERASE], before, limit)]


def _ask(
    session: Session,
    keyring: Keyring,
    said: sf.ErasureAsked,
    reason: str,
    *,
    actor: Actor,
    at: datetime,
    second_person: bool,
) -> None:
    _check_free(session, bytes.fromhex(said.subject))
    added = approvals.add(
        session, keyring, UUID(said.erasure), said, reason, actor=actor, at=at, second_person=second_person
    )
    if not added:
        raise ApprovalStateError("Somebody else asked for this erasure at the same moment: see the list.")


def _check_free(session: Session, key_id: bytes) -> None:
    standing = asked.open_erasure(session, key_id)
    if standing is not None:
        told = "waits for a second person" if standing.status == asked.WAITING else "is being carried out"
        raise ApprovalStateError(f"This erasure was asked for already, and {told}.")
    if holds.on_subject(session, key_id):
        raise subjects.HeldError("A legal hold stands against this erasure: it must be released first.")


def _erasure(session: Session, keyring: Keyring, row: sa.Row[Any]) -> Erasure:
    about, name = approvals.named(approvals.asked(session, row))
    found = rows.left(session, row.approval_id)
    called = receivers.names_of(session, {each.receiver for each in found})
    left = [Left(name=called[each.receiver], **_columns(each)) for each in found]
    return Erasure(
        row.approval_id,
        bytes(row.key_id).hex(),
        row.status,
        row.requested_by,
        row.requested_at,
        row.settled_by,
        row.settled_at,
        row.done_at,
        row.status in asked.OPEN and bool(holds.on_subject(session, bytes(row.key_id))),
        approvals.reason_of(session, keyring, row.log_id, row.seq),
        left,
        name if about == "event" else None,
    )


def _columns(left: sa.Row[Any]) -> dict[str, Any]:
    return {name: getattr(left, name) for name in Left._fields if name != "name"}
