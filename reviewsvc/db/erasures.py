"""What erasures leave: which keys an entry says are gone, and who is to be told of what had left before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.receivers import Left
from reviewsvc.domain.subject_rows import ErasedKeyRow


def add_erased(session: Session, row: ErasedKeyRow) -> None:
    """Keep which key an entry says was destroyed."""
    session.execute(sa.insert(t.erased_key).values(row._asdict()))


def erased_keys(session: Session) -> set[bytes]:
    """Return the keys that entries of this database say were destroyed."""
    return {bytes(key) for key in session.scalars(sa.select(t.erased_key.c.key_id))}


def is_erased(session: Session, key_id: bytes) -> bool:
    """Say whether an erasure destroyed a key: else its last payload's time of retention has passed."""
    wanted = sa.select(t.erased_key.c.key_id).where(t.erased_key.c.key_id == key_id)
    return session.scalar(wanted.limit(1)) is not None


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
