"""Legal holds: what may be neither erased nor dropped while one stands, on a subject, a model or a case."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.crypto.keyed import find_hash
from reviewsvc.db import approvals as asked
from reviewsvc.db import generation, predictions, versions
from reviewsvc.db import holds as rows
from reviewsvc.db import subjects as kept
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref, parse
from reviewsvc.domain.moments import moment
from reviewsvc.domain.subject_rows import hold_released_row, hold_row
from reviewsvc.usecases import approvals, sent_ids, subjects
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.approvals import Approval
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.labels import ModelMissingError
from reviewsvc.usecases.sent_ids import Sent

_MOST = 500


class HoldMissingError(LookupError):
    """There is no such hold, or it has ended."""

    code = "hold_missing"


class HoldOn(NamedTuple):
    """What to hold: a subject; or a model, or one case of it, sent by a source (its topic if none)."""

    subject: str | None = None
    model: str | None = None
    prediction_id: str | None = None
    source: str | None = None


class Hold(NamedTuple):
    """A hold: on what, why, who placed it when, and who released it when and why, if it has ended."""

    hold_id: UUID
    on: str
    name: str
    reason: str | None
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    released_reason: str | None


def place(
    sessions: Sessions, keyring: Keyring, on: HoldOn, reason: str, *, actor: Actor, at: datetime
) -> Hold:
    """Place a hold; from its commit on, nothing of it is erased or dropped.

    Raises SubjectMissingError, ModelMissingError, NotCapturedError, SeveralSourcesError, ReasonError.
    """
    reason = subjects.checked_reason(reason)
    hold_id = approvals.new_id(at)
    with sessions.begin() as session:
        # Alone: an erasure or a drop that is under way ends first, the next one sees the hold.
        generation.bump(session)
        _place(session, keyring, _said(session, keyring, hold_id, on), reason, actor=actor, at=at)
    return get(sessions, keyring, hold_id)


def ask(
    sessions: Sessions, keyring: Keyring, on: HoldOn, reason: str, *, actor: Actor, at: datetime
) -> Approval:
    """Ask for a hold, which stands once a second person agrees. Raises what `place` raises."""
    approval_id = approvals.new_id(at)
    with sessions.begin() as session:
        on_what = _said(session, keyring, approvals.new_id(at), on)
        said = sf.ApprovalAsked(str(approval_id), asked.HOLD, **msgspec.structs.asdict(on_what))
        approvals.add(session, keyring, approval_id, said, reason, actor=actor, at=at, second_person=True)
    return approvals.get(sessions, keyring, approval_id)


def release(
    sessions: Sessions, keyring: Keyring, hold_id: UUID, reason: str, *, actor: Actor, at: datetime
) -> Hold:
    """End a hold. Raises HoldMissingError, ReasonError."""
    reason = subjects.checked_reason(reason)
    with sessions.begin() as session:
        generation.bump(session)
        _release(session, keyring, hold_id, reason, actor=actor, at=at)
    return get(sessions, keyring, hold_id)


def ask_release(
    sessions: Sessions, keyring: Keyring, hold_id: UUID, reason: str, *, actor: Actor, at: datetime
) -> Approval:
    """Ask for a hold's end, once a second person agrees. Raises what `release` raises."""
    approval_id = approvals.new_id(at)
    with sessions.begin() as session:
        _, placed = _standing(session, hold_id)
        said = sf.ApprovalAsked(str(approval_id), asked.RELEASE, **msgspec.structs.asdict(placed))
        approvals.add(session, keyring, approval_id, said, reason, actor=actor, at=at, second_person=True)
    return approvals.get(sessions, keyring, approval_id)


def carry_out(
    session: Session, keyring: Keyring, said: sf.ApprovalAsked, reason: str, *, actor: Actor, at: datetime
) -> None:
    """Place or release what a second person has agreed to, under GEN alone.

    Raises HoldMissingError, SubjectMissingError.
    """
    if said.act == asked.RELEASE:
        _release(session, keyring, UUID(said.hold), reason, actor=actor, at=at)
        return
    if said.subject and not kept.has_key(session, bytes.fromhex(said.subject)):
        raise subjects.SubjectMissingError("This subject has been erased meanwhile: nothing is left to hold.")
    placed = sf.HoldPlaced(said.hold or "", said.subject, said.model, said.id, said.find)
    _place(session, keyring, placed, reason, actor=actor, at=at)


def _place(
    session: Session, keyring: Keyring, said: sf.HoldPlaced, reason: str, *, actor: Actor, at: datetime
) -> None:
    model = versions.model(session, said.model) if said.model else None
    about = said.subject or said.model or ""
    act = Said("hold_placed", said, secrets(reason=reason), about=about)
    (where,) = record(session, keyring, [act], actor=actor, at=at)
    rows.add(session, hold_row(where, said, model.model_id if model else None))


def _release(
    session: Session, keyring: Keyring, hold_id: UUID, reason: str, *, actor: Actor, at: datetime
) -> None:
    row, placed = _standing(session, hold_id)
    said = sf.HoldReleased(str(hold_id))
    about, ref = placed.subject or placed.model or "", Ref(row.log, row.seq)
    act = Said("hold_released", said, secrets(reason=reason), about=about, ref=ref)
    (where,) = record(session, keyring, [act], actor=actor, at=at)
    rows.release(session, hold_released_row(where, said))


def _standing(session: Session, hold_id: UUID) -> tuple[sa.Row[Any], sf.HoldPlaced]:
    row = rows.get(session, hold_id)
    if row is None or row.released_seq is not None:
        raise HoldMissingError("There is no such hold, or it has ended already.")
    return row, msgspec.json.decode(parse(bytes(row.body)).facts, type=sf.HoldPlaced)


def get(sessions: Sessions, keyring: Keyring, hold_id: UUID) -> Hold:
    """Return a hold. Raises HoldMissingError."""
    with sessions.begin() as session:
        row = rows.get(session, hold_id)
        if row is None:
            raise HoldMissingError("There is no such hold.")
        return _hold(session, keyring, row)


def every(sessions: Sessions, keyring: Keyring) -> list[Hold]:
    """Return holds: those that stand first, then the newest that ended; 500 at most."""
    with sessions.begin() as session:
        return [_hold(session, keyring, row) for row in rows.every(session, _MOST)]


def _said(session: Session, keyring: Keyring, hold_id: UUID, on: HoldOn) -> sf.HoldPlaced:
    if on.subject is not None:
        subject = subjects.key_of(session, keyring, on.subject)
        return sf.HoldPlaced(str(hold_id), subject=subject.hex())
    model = versions.model(session, on.model or "")
    if model is None:
        raise ModelMissingError(f"There is no model {on.model}.")
    if on.prediction_id is None:
        return sf.HoldPlaced(str(hold_id), model=model.name)
    sent = Sent(model.name, on.prediction_id, on.source)
    key = keyring.hash_key(session, "prediction")
    found = predictions.find(session, model.name, sent_ids.place(key, sent))
    meant = bytes(sent_ids.the_one(key, sent, found).id_hash).hex()
    find = find_hash(key, model.name, on.prediction_id).hex()
    return sf.HoldPlaced(str(hold_id), model=model.name, id=meant, find=find)


def _hold(session: Session, keyring: Keyring, row: sa.Row[Any]) -> Hold:
    placed = parse(bytes(row.body))
    said = msgspec.json.decode(placed.facts, type=sf.HoldPlaced)
    ended = None if row.released_body is None else parse(bytes(row.released_body))
    on, name = approvals.named(said)
    return Hold(
        hold_id=row.hold_id,
        on=on,
        name=name,
        reason=approvals.reason_of(session, keyring, row.log_id, row.seq),
        placed_by=_by(placed.actor),
        placed_at=moment(placed.at),
        released_by=_by(ended.actor) if ended else None,
        released_at=moment(ended.at) if ended else None,
        released_reason=approvals.reason_of(session, keyring, row.released_log_id, row.released_seq)
        if ended
        else None,
    )


def _by(actor: Actor | None) -> str:
    return subjects.said_by(actor) if actor else "service"
