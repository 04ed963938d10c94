"""Approvals: what a steward asks for, and a second person agrees to or refuses where one is needed."""

import os
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import approvals as rows
from reviewsvc.db import logs
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref, parse
from reviewsvc.domain.facts import Facts
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.usecases import subjects
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.keyring import KeyGoneError, Keyring, PayloadGoneError

MOST: Final = 500
ACTS: Final = rows.ACTS


class ApprovalMissingError(LookupError):
    """Nothing was asked for under this id."""

    code = "approval_missing"


class ApprovalStateError(RuntimeError):
    """What was asked for is not in a state in which this can be done."""

    code = "approval_state"


class SecondPersonError(PermissionError):
    """Whoever asked cannot agree to it too; and only who asked may take what was agreed to."""

    code = "second_person"


class Approval(NamedTuple):
    """What somebody asked for: the act, what it is about, where it stands, who did what and when.

    `about` is `subject`, `event`, `model` or `case`, and `name` says which: a subject by its pseudonym, an
    event that could not be read by its log and seq.
    """

    approval_id: UUID
    act: str
    about: str
    name: str
    status: str
    requested_by: str
    requested_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    done_at: datetime | None
    reason: str | None


def new_id(at: datetime) -> UUID:
    """Make the id of an approval."""
    return uuid7(at, os.urandom(RANDOM_BYTES))


def add(
    session: Session,
    keyring: Keyring,
    approval_id: UUID,
    said: sf.ErasureAsked | sf.ApprovalAsked,
    reason: str,
    *,
    actor: Actor,
    at: datetime,
    second_person: bool,
) -> bool:
    """Write down what somebody asks for; without a second person it is agreed to at once.

    False if somebody has asked already to erase the same subject. Raises ReasonError.
    """
    told = secrets(reason=subjects.checked_reason(reason))
    act = Said(f"{_noun(said)}_requested", said, told, about=_shard(said))
    (place,) = record(session, keyring, [act], actor=actor, at=at)
    return rows.add(
        session,
        approval_id=approval_id,
        act=said.act if isinstance(said, sf.ApprovalAsked) else rows.ERASE,
        key_id=bytes.fromhex(said.subject) if said.subject else None,
        status=rows.WAITING if second_person else rows.APPROVED,
        requested_by=subjects.said_by(actor),
        requested_at=at,
        log_id=place.log_id,
        seq=place.seq,
    )


def settle(
    session: Session, keyring: Keyring, approval_id: UUID, *, agrees: bool, actor: Actor, at: datetime
) -> tuple[sa.Row[Any], sf.ErasureAsked | sf.ApprovalAsked]:
    """Agree to what somebody else asked for, or refuse it; return its row and what was asked.

    Raises ApprovalMissingError, ApprovalStateError, SecondPersonError.
    """
    row = rows.lock(session, approval_id)
    if row is None:
        raise ApprovalMissingError("Nothing was asked for under this id.")
    if row.status != rows.WAITING:
        raise ApprovalStateError(f"This waits for nobody: it is {row.status}.")
    if agrees and subjects.is_same_person(session, row.requested_by, actor):
        raise SecondPersonError("Another person than the one who asked must agree to it.")
    status, said = rows.APPROVED if agrees else rows.REFUSED, asked(session, row)
    rows.save(session, approval_id, status=status, settled_by=subjects.said_by(actor), settled_at=at)
    ref = Ref(logs.names(session, [row.log_id])[row.log_id], row.seq)
    act = Said(_settled(said, agrees=agrees), said, about=_shard(said), ref=ref)
    record(session, keyring, [act], actor=actor, at=at)
    return row, said


def asked(session: Session, row: sa.Row[Any]) -> sf.ErasureAsked | sf.ApprovalAsked:
    """Return what the entry of an approval asks for."""
    if row.requested_by == rows.JOURNAL:
        return sf.ErasureAsked(str(row.approval_id), bytes(row.key_id).hex())
    facts = parse(logs.one(session, row.log_id, row.seq)).facts
    if row.act == rows.ERASE:
        return msgspec.json.decode(facts, type=sf.ErasureAsked)
    return msgspec.json.decode(facts, type=sf.ApprovalAsked)


def get(sessions: Sessions, keyring: Keyring, approval_id: UUID) -> Approval:
    """Return an approval. Raises ApprovalMissingError."""
    with sessions.begin() as session:
        row = rows.get(session, approval_id)
        if row is None:
            raise ApprovalMissingError("Nothing was asked for under this id.")
        return read(session, keyring, row)


def waiting(sessions: Sessions, keyring: Keyring) -> list[Approval]:
    """Return what waits for a second person, the oldest first; 500 at most."""
    with sessions.begin() as session:
        return [read(session, keyring, row) for row in rows.waiting(session, MOST)]


def read(session: Session, keyring: Keyring, row: sa.Row[Any]) -> Approval:
    """Read an approval with its reason and what it is about."""
    about, name = named(asked(session, row))
    return Approval(
        row.approval_id,
        row.act,
        about,
        name,
        row.status,
        row.requested_by,
        row.requested_at,
        row.settled_by,
        row.settled_at,
        row.done_at,
        reason_of(session, keyring, row.log_id, row.seq),
    )


def named(said: sf.ErasureAsked | sf.ApprovalAsked | sf.HoldPlaced) -> tuple[str, str]:
    """Say what an act is about, `subject`, `event`, `model` or `case`, and which."""
    if isinstance(said, sf.ErasureAsked):
        return ("subject", said.subject) if said.log is None else ("event", f"{said.log} {said.seq}")
    if said.subject:
        return "subject", said.subject
    return ("case", f"{said.model} {said.id}") if said.id else ("model", said.model or "")


def reason_of(session: Session, keyring: Keyring, log_id: int, seq: int) -> str | None:
    """Return the reason that an entry's payload gives; None once it cannot be opened any more."""
    try:
        opened = keyring.open_payload(session, parse(logs.one(session, log_id, seq)), log_id)
    except (KeyGoneError, PayloadGoneError):
        return None
    reason: str | None = msgspec.json.decode(opened, type=dict[str, str]).get("reason")
    return reason


def _noun(said: Facts) -> str:
    return "erasure" if isinstance(said, sf.ErasureAsked) else "approval"


def _settled(said: Facts, *, agrees: bool) -> str:
    if not agrees:
        return f"{_noun(said)}_refused"
    return "erasure_approved" if isinstance(said, sf.ErasureAsked) else "approval_granted"


def _shard(said: sf.ErasureAsked | sf.ApprovalAsked) -> str:
    """What chooses the activity log: the same as for what the approval leads to."""
    return said.subject or (said.model if isinstance(said, sf.ApprovalAsked) else None) or ""
