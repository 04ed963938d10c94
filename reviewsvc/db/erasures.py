"""Wishes to erase, from asking to done, and the lists of receivers that they leave."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.subjects import Left
from reviewsvc.domain.projections import Place
from reviewsvc.domain.subject_rows import ErasedKeyRow

JOURNAL = "service:journal"
WAITING, APPROVED, DONE, REFUSED = "waiting", "approved", "done", "refused"
_OPEN = t.erasure.c.status.in_((WAITING, APPROVED))


def add(session: Session, **columns: object) -> bool:
    """Keep a wish; False if there is an open one for the same key."""
    made = insert(t.erasure).values(columns).on_conflict_do_nothing()
    return session.execute(made.returning(t.erasure.c.erasure_id)).first() is not None


def open_for(session: Session, key_id: bytes) -> sa.Row[Any] | None:
    """Return the open wish for a key."""
    return session.execute(sa.select(t.erasure).where(t.erasure.c.key_id == key_id, _OPEN)).first()


def lock(session: Session, erasure_id: UUID) -> sa.Row[Any] | None:
    """Return a wish, locked until the transaction ends."""
    wanted = sa.select(t.erasure).where(t.erasure.c.erasure_id == erasure_id)
    return session.execute(wanted.with_for_update()).first()


def get(session: Session, erasure_id: UUID) -> sa.Row[Any] | None:
    """Return a wish."""
    return session.execute(sa.select(t.erasure).where(t.erasure.c.erasure_id == erasure_id)).first()


def save(session: Session, erasure_id: UUID, **columns: object) -> None:
    """Change columns of a wish, which is locked."""
    session.execute(sa.update(t.erasure).where(t.erasure.c.erasure_id == erasure_id).values(columns))


def page(session: Session, before: tuple[datetime, UUID] | None, limit: int) -> list[sa.Row[Any]]:
    """Return wishes, the newest first; `before` goes on after an earlier page."""
    order = (t.erasure.c.requested_at, t.erasure.c.erasure_id)
    wanted = sa.select(t.erasure).order_by(*(column.desc() for column in order)).limit(limit)
    if before is not None:
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
    return list(session.execute(wanted))


def approved(session: Session) -> list[UUID]:
    """Return the wishes that may be carried out, the oldest first."""
    wanted = sa.select(t.erasure.c.erasure_id).where(t.erasure.c.status == APPROVED)
    return list(session.scalars(wanted.order_by(t.erasure.c.requested_at)))


def add_erased(session: Session, row: ErasedKeyRow) -> None:
    """Keep which key an entry says was destroyed."""
    session.execute(sa.insert(t.erased_key).values(row._asdict()))


def add_replayed(session: Session, erasure_id: UUID, key_id: bytes, place: Place, at: datetime) -> None:
    """Keep an erasure that the journal brought as done, whether its wish is known here or not."""
    columns = {
        "erasure_id": erasure_id,
        "key_id": key_id,
        "requested_by": JOURNAL,
        "requested_at": at,
        "log_id": place.log_id,
        "seq": place.seq,
    }
    done = {"status": DONE, "done_at": at}
    made = insert(t.erasure).values(columns | done)
    session.execute(made.on_conflict_do_update(index_elements=["erasure_id"], set_=done))


def add_left(session: Session, erasure_id: UUID, left: Sequence[Left]) -> None:
    """Keep what had left before an erasure, numbered from 1."""
    rows = [{"erasure_id": erasure_id, "item": n, **each._asdict()} for n, each in enumerate(left, 1)]
    if rows:
        session.execute(insert(t.erasure_left).on_conflict_do_nothing(), rows)


def left(session: Session, erasure_id: UUID) -> list[sa.Row[Any]]:
    """Return what had left before an erasure, and who was told."""
    wanted = sa.select(t.erasure_left).where(t.erasure_left.c.erasure_id == erasure_id)
    return list(session.execute(wanted.order_by(t.erasure_left.c.item)))


def tell(session: Session, erasure_id: UUID, item: int, *, by: str, at: datetime) -> bool:
    """Note that a receiver was told; False if there is no such item, or it was told before."""
    place = (t.erasure_left.c.erasure_id == erasure_id, t.erasure_left.c.item == item)
    told = sa.update(t.erasure_left).where(*place, t.erasure_left.c.told_at.is_(None))
    done = told.values(told_by=by, told_at=at).returning(t.erasure_left.c.item)
    return session.execute(done).first() is not None
