"""Agreeing to what somebody else asked for, and doing what follows from it at once."""

from datetime import datetime
from uuid import UUID

from reviewsvc.db import generation
from reviewsvc.db import wishes as rows
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor
from reviewsvc.usecases import holds, wishes
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.wishes import Wish


def approve(sessions: Sessions, keyring: Keyring, wish_id: UUID, *, actor: Actor, at: datetime) -> Wish:
    """Agree to what somebody else asked for.

    A hold is placed or released in the same transaction; an erasure is the worker's to carry out, an export
    is for who asked to take. Raises WishMissingError, WishStateError, SecondPersonError, HoldMissingError,
    SubjectMissingError.
    """
    with sessions.begin() as session:
        # Alone, as whoever places a hold is: an erasure or a drop that is under way ends first.
        generation.bump(session)
        row, said = wishes.settle(session, keyring, wish_id, agrees=True, actor=actor, at=at)
        if isinstance(said, sf.Wished) and said.act in (rows.HOLD, rows.RELEASE):
            reason = wishes.reason_of(session, keyring, row.log_id, row.seq) or ""
            holds.carry_out(session, keyring, said, reason, actor=actor, at=at)
            rows.save(session, wish_id, status=rows.DONE, done_at=at)
    return wishes.get(sessions, keyring, wish_id)


def refuse(sessions: Sessions, keyring: Keyring, wish_id: UUID, *, actor: Actor, at: datetime) -> Wish:
    """Refuse what waits, or take one's own wish back.

    Raises WishMissingError, WishStateError.
    """
    with sessions.begin() as session:
        wishes.settle(session, keyring, wish_id, agrees=False, actor=actor, at=at)
    return wishes.get(sessions, keyring, wish_id)
