"""Wishes to erase a subject: asked for, agreed to by a second person where one is needed, and followed."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import erasures as rows
from reviewsvc.db import holds, logs
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref, parse
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.usecases import subjects
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.keyring import KeyGoneError, Keyring, PayloadGoneError


class ErasureMissingError(LookupError):
    """There is no such wish."""

    code = "erasure_missing"


class ErasureStateError(RuntimeError):
    """The wish is not in a state in which this can be done."""

    code = "erasure_state"


class SecondPersonError(PermissionError):
    """Whoever asked cannot agree to it too."""

    code = "second_person"


class Left(NamedTuple):
    """Something that had left: what, to whom, how much, when last; and who told the receiver, when."""

    item: int
    kind: str
    receiver: str
    amount: int
    last_at: int | None
    told_by: str | None
    told_at: datetime | None


class Erasure(NamedTuple):
    """A wish to erase: the subject's pseudonym, where it stands, who did what and when."""

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

    Raises SubjectMissingError, ReasonError, HeldError, and ErasureStateError if it was asked for already.
    """
    reason = subjects.checked_reason(reason)
    erasure_id = uuid7(at, os.urandom(RANDOM_BYTES))
    with sessions.begin() as session:
        key_id = subjects.key_of(session, keyring, subject)
        _check_free(session, key_id)
        said = Said(
            "erasure_requested",
            sf.ErasureAsked(str(erasure_id), key_id.hex()),
            secrets(reason=reason),
            about=key_id.hex(),
        )
        (place,) = record(session, keyring, [said], actor=actor, at=at)
        added = rows.add(
            session,
            erasure_id=erasure_id,
            key_id=key_id,
            status=rows.WAITING if second_person else rows.APPROVED,
            requested_by=subjects.said_by(actor),
            requested_at=at,
            log_id=place.log_id,
            seq=place.seq,
        )
        if not added:
            raise ErasureStateError("Somebody else asked for this erasure at the same moment: see the list.")
    return get(sessions, keyring, erasure_id)


def approve(sessions: Sessions, keyring: Keyring, erasure_id: UUID, *, actor: Actor, at: datetime) -> Erasure:
    """Agree to an erasure that somebody else asked for; the worker then carries it out.

    Raises ErasureMissingError, ErasureStateError, SecondPersonError.
    """
    return _settle(sessions, keyring, erasure_id, rows.APPROVED, actor=actor, at=at)


def refuse(sessions: Sessions, keyring: Keyring, erasure_id: UUID, *, actor: Actor, at: datetime) -> Erasure:
    """Refuse an erasure that waits, or take one's own wish back. Raises what `approve` raises."""
    return _settle(sessions, keyring, erasure_id, rows.REFUSED, actor=actor, at=at)


def tell(
    sessions: Sessions, keyring: Keyring, erasure_id: UUID, item: int, *, actor: Actor, at: datetime
) -> Erasure:
    """Note that a receiver was told of an erasure; said again it changes nothing.

    Raises ErasureMissingError.
    """
    with sessions.begin() as session:
        row = rows.lock(session, erasure_id)
        if row is None or item not in {each.item for each in rows.left(session, erasure_id)}:
            raise ErasureMissingError("There is no such erasure, or nothing of this number had left.")
        if rows.tell(session, erasure_id, item, by=subjects.said_by(actor), at=at):
            said = Said(
                "receiver_told", sf.ReceiverTold(str(erasure_id), item), about=bytes(row.key_id).hex()
            )
            record(session, keyring, [said], actor=actor, at=at)
    return get(sessions, keyring, erasure_id)


def get(sessions: Sessions, keyring: Keyring, erasure_id: UUID) -> Erasure:
    """Return a wish with its reason and with what had left. Raises ErasureMissingError."""
    with sessions.begin() as session:
        row = rows.get(session, erasure_id)
        if row is None:
            raise ErasureMissingError("There is no such erasure.")
        return _erasure(session, keyring, row)


def page(
    sessions: Sessions, keyring: Keyring, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[Erasure]:
    """Return wishes, the newest first."""
    with sessions.begin() as session:
        return [_erasure(session, keyring, row) for row in rows.page(session, before, limit)]


def reason_of(session: Session, keyring: Keyring, log_id: int, seq: int) -> str | None:
    """Return the reason that an entry's payload gives; None once it cannot be opened any more."""
    try:
        opened = keyring.open_payload(session, parse(logs.one(session, log_id, seq)), log_id)
    except (KeyGoneError, PayloadGoneError):
        return None
    reason: str | None = msgspec.json.decode(opened, type=dict[str, str]).get("reason")
    return reason


def _check_free(session: Session, key_id: bytes) -> None:
    standing = rows.open_for(session, key_id)
    if standing is not None:
        told = "waits for a second person" if standing.status == rows.WAITING else "is being carried out"
        raise ErasureStateError(f"This erasure was asked for already, and {told}.")
    if holds.on_subject(session, key_id):
        raise subjects.HeldError("A legal hold stands against this erasure: it must be released first.")


def _settle(
    sessions: Sessions, keyring: Keyring, erasure_id: UUID, status: str, *, actor: Actor, at: datetime
) -> Erasure:
    with sessions.begin() as session:
        row = rows.lock(session, erasure_id)
        if row is None:
            raise ErasureMissingError("There is no such erasure.")
        if row.status != rows.WAITING:
            raise ErasureStateError(f"This erasure waits for nobody: it is {row.status}.")
        if status == rows.APPROVED and subjects.is_same_person(session, row.requested_by, actor):
            raise SecondPersonError("Another person than the one who asked must agree to it.")
        rows.save(session, erasure_id, status=status, settled_by=subjects.said_by(actor), settled_at=at)
        subject = bytes(row.key_id).hex()
        ref = Ref(logs.names(session, [row.log_id])[row.log_id], row.seq)
        said = Said(f"erasure_{status}", sf.ErasureAsked(str(erasure_id), subject), about=subject, ref=ref)
        record(session, keyring, [said], actor=actor, at=at)
    return get(sessions, keyring, erasure_id)


def _erasure(session: Session, keyring: Keyring, row: sa.Row[Any]) -> Erasure:
    is_open = row.status in (rows.WAITING, rows.APPROVED)
    left = [
        Left(each.item, each.kind, each.receiver, each.amount, each.last_at, each.told_by, each.told_at)
        for each in rows.left(session, row.erasure_id)
    ]
    return Erasure(
        row.erasure_id,
        bytes(row.key_id).hex(),
        row.status,
        row.requested_by,
        row.requested_at,
        row.settled_by,
        row.settled_at,
        row.done_at,
        is_open and bool(holds.on_subject(session, bytes(row.key_id))),
        reason_of(session, keyring, row.log_id, row.seq),
        left,
    )
