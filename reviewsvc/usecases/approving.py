"""Agreeing to what somebody else asked for, and doing what follows from it at once."""

from datetime import datetime
from uuid import UUID

from reviewsvc.db import approvals as rows
from reviewsvc.db import generation
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor
from reviewsvc.usecases import approvals, holds
from reviewsvc.usecases.approvals import Approval
from reviewsvc.usecases.keyring import Keyring


def approve(
    sessions: Sessions, keyring: Keyring, approval_id: UUID, *, actor: Actor, at: datetime
) -> Approval:
    """Agree to what somebody else asked for.

    A hold is placed or released in the same transaction; an erasure is the worker's to carry out, an export
    is for who asked to take. Raises ApprovalMissingError, ApprovalStateError, SecondPersonError,
    HoldMissingError, SubjectMissingError.
    """
    with sessions.begin() as session:
        # Alone, as whoever places a hold is: an erasure or a drop that is under way ends first.
        generation.bump(session)
        row, said = approvals.settle(session, keyring, approval_id, agrees=True, actor=actor, at=at)
        if isinstance(said, sf.ApprovalAsked) and said.act in (rows.HOLD, rows.RELEASE):
            reason = approvals.reason_of(session, keyring, row.log_id, row.seq) or ""
            holds.carry_out(session, keyring, said, reason, actor=actor, at=at)
            rows.save(session, approval_id, status=rows.DONE, done_at=at)
    return approvals.get(sessions, keyring, approval_id)


def refuse(
    sessions: Sessions, keyring: Keyring, approval_id: UUID, *, actor: Actor, at: datetime
) -> Approval:
    """Refuse what waits, or take back what one asked for oneself.

    Raises ApprovalMissingError, ApprovalStateError.
    """
    with sessions.begin() as session:
        approvals.settle(session, keyring, approval_id, agrees=False, actor=actor, at=at)
    return approvals.get(sessions, keyring, approval_id)
