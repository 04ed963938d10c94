"""Approvals, from asking to done: what a steward asks for, and a second person may have to agree to."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.projections import Place

JOURNAL: Final = "service:journal"
ERASE, EXPORT, HOLD, RELEASE = "erase", "export", "hold", "release"
ACTS: Final = (ERASE, EXPORT, HOLD, RELEASE)
WAITING, APPROVED, DONE, REFUSED = "waiting", "approved", "done", "refused"
OPEN: Final = (WAITING, APPROVED)


def add(session: Session, **columns: object) -> bool:
    """Keep what somebody asks for; False if somebody asked already to erase the same subject."""
    made = insert(t.approval).values(columns).on_conflict_do_nothing()
    return session.execute(made.returning(t.approval.c.approval_id)).first() is not None


def open_erasure(session: Session, key_id: bytes) -> sa.Row[Any] | None:
    """Return the erasure of a key's subject that was asked for and is not done."""
    wanted = (t.approval.c.act == ERASE, t.approval.c.key_id == key_id, t.approval.c.status.in_(OPEN))
    return session.execute(sa.select(t.approval).where(*wanted)).first()


def lock(session: Session, approval_id: UUID) -> sa.Row[Any] | None:
    """Return an approval, locked until the transaction ends."""
    wanted = sa.select(t.approval).where(t.approval.c.approval_id == approval_id)
    return session.execute(wanted.with_for_update()).first()


def get(session: Session, approval_id: UUID) -> sa.Row[Any] | None:
    """Return an approval."""
    return session.execute(sa.select(t.approval).where(t.approval.c.approval_id == approval_id)).first()


def save(session: Session, approval_id: UUID, **columns: object) -> None:
    """Change columns of an approval, which is locked."""
    session.execute(sa.update(t.approval).where(t.approval.c.approval_id == approval_id).values(columns))


def page(
    session: Session, acts: Collection[str], before: tuple[datetime, UUID] | None, limit: int
) -> list[sa.Row[Any]]:
    """Return approvals for these acts, the newest first; `before` goes on after an earlier page."""
    order = (t.approval.c.requested_at, t.approval.c.approval_id)
    wanted = sa.select(t.approval).where(t.approval.c.act.in_(acts))
    if before is not None:
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
    return list(session.execute(wanted.order_by(*(column.desc() for column in order)).limit(limit)))


def waiting(session: Session, limit: int) -> list[sa.Row[Any]]:
    """Return the approvals that wait for a second person, the oldest first."""
    wanted = sa.select(t.approval).where(t.approval.c.status == WAITING)
    return list(session.execute(wanted.order_by(t.approval.c.requested_at).limit(limit)))


def approved(session: Session, act: str) -> list[UUID]:
    """Return the approvals for an act that may be carried out, the oldest first."""
    wanted = sa.select(t.approval.c.approval_id).where(
        t.approval.c.status == APPROVED, t.approval.c.act == act
    )
    return list(session.scalars(wanted.order_by(t.approval.c.requested_at)))


def ready(session: Session, act: str, since: datetime, limit: int) -> list[sa.Row[Any]]:
    """Return what was agreed to of an act since a moment, the newest first."""
    wanted = (
        t.approval.c.act == act,
        t.approval.c.status.in_((APPROVED, DONE)),
        t.approval.c.settled_at > since,
    )
    return list(
        session.execute(
            sa.select(t.approval).where(*wanted).order_by(t.approval.c.settled_at.desc()).limit(limit)
        )
    )


def add_replayed(session: Session, approval_id: UUID, key_id: bytes, place: Place, at: datetime) -> None:
    """Keep an erasure that the journal brought as done, whether it was asked for here or not."""
    columns = {
        "approval_id": approval_id,
        "act": ERASE,
        "key_id": key_id,
        "requested_by": JOURNAL,
        "requested_at": at,
        "log_id": place.log_id,
        "seq": place.seq,
    }
    done = {"status": DONE, "done_at": at}
    made = insert(t.approval).values(columns | done)
    session.execute(made.on_conflict_do_update(index_elements=["approval_id"], set_=done))
