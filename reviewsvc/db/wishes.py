"""Wishes, from asking to done: what a steward asks for, and a second person may have to agree to."""

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
    """Keep a wish; False if there is an open one to erase the same subject."""
    made = insert(t.wish).values(columns).on_conflict_do_nothing()
    return session.execute(made.returning(t.wish.c.wish_id)).first() is not None


def open_erasure(session: Session, key_id: bytes) -> sa.Row[Any] | None:
    """Return the open wish to erase the subject of a key."""
    wanted = (t.wish.c.act == ERASE, t.wish.c.key_id == key_id, t.wish.c.status.in_(OPEN))
    return session.execute(sa.select(t.wish).where(*wanted)).first()


def lock(session: Session, wish_id: UUID) -> sa.Row[Any] | None:
    """Return a wish, locked until the transaction ends."""
    wanted = sa.select(t.wish).where(t.wish.c.wish_id == wish_id)
    return session.execute(wanted.with_for_update()).first()


def get(session: Session, wish_id: UUID) -> sa.Row[Any] | None:
    """Return a wish."""
    return session.execute(sa.select(t.wish).where(t.wish.c.wish_id == wish_id)).first()


def save(session: Session, wish_id: UUID, **columns: object) -> None:
    """Change columns of a wish, which is locked."""
    session.execute(sa.update(t.wish).where(t.wish.c.wish_id == wish_id).values(columns))


def page(
    session: Session, acts: Collection[str], before: tuple[datetime, UUID] | None, limit: int
) -> list[sa.Row[Any]]:
    """Return wishes for these acts, the newest first; `before` goes on after an earlier page."""
    order = (t.wish.c.requested_at, t.wish.c.wish_id)
    wanted = sa.select(t.wish).where(t.wish.c.act.in_(acts))
    if before is not None:
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
    return list(session.execute(wanted.order_by(*(column.desc() for column in order)).limit(limit)))


def waiting(session: Session, limit: int) -> list[sa.Row[Any]]:
    """Return the wishes that wait for a second person, the oldest first."""
    wanted = sa.select(t.wish).where(t.wish.c.status == WAITING)
    return list(session.execute(wanted.order_by(t.wish.c.requested_at).limit(limit)))


def approved(session: Session, act: str) -> list[UUID]:
    """Return the wishes for an act that may be carried out, the oldest first."""
    wanted = sa.select(t.wish.c.wish_id).where(t.wish.c.status == APPROVED, t.wish.c.act == act)
    return list(session.scalars(wanted.order_by(t.wish.c.requested_at)))


def ready(session: Session, act: str, since: datetime, limit: int) -> list[sa.Row[Any]]:
    """Return the wishes for an act that were agreed to since a moment, the newest first."""
    wanted = (t.wish.c.act == act, t.wish.c.status.in_((APPROVED, DONE)), t.wish.c.settled_at > since)
    return list(
        session.execute(sa.select(t.wish).where(*wanted).order_by(t.wish.c.settled_at.desc()).limit(limit))
    )


def add_replayed(session: Session, wish_id: UUID, key_id: bytes, place: Place, at: datetime) -> None:
    """Keep an erasure that the journal brought as done, whether its wish is known here or not."""
    columns = {
        "wish_id": wish_id,
        "act": ERASE,
        "key_id": key_id,
        "requested_by": JOURNAL,
        "requested_at": at,
        "log_id": place.log_id,
        "seq": place.seq,
    }
    done = {"status": DONE, "done_at": at}
    made = insert(t.wish).values(columns | done)
    session.execute(made.on_conflict_do_update(index_elements=["wish_id"], set_=done))
