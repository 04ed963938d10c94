"""Legal holds: on a subject, a model or a case; standing until they are released."""

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain.subject_rows import HoldReleasedRow, HoldRow

# What holds a subject: a hold on itself, on a model that judged it, or on one of its cases.
_ON_SUBJECT: Final = (
    "SELECT h.hold_id FROM hold_standing h WHERE h.key_id = %(key_id)s "
    "OR EXISTS (SELECT FROM prediction p WHERE p.subject = %(key_id)s "
    "AND (p.model_id = h.model_id OR p.id_hash = h.id_hash)) ORDER BY h.hold_id"
)
_ALL: Final = (
    "SELECT h.*, m.name AS model, e.body, n.name AS log, r.log_id AS released_log_id, "
    "r.seq AS released_seq, released.body AS released_body "
    "FROM hold h JOIN entry e USING (log_id, seq) JOIN log n USING (log_id) "
    "LEFT JOIN model m ON m.model_id = h.model_id "
    "LEFT JOIN hold_released r ON r.hold_id = h.hold_id "
    "LEFT JOIN entry released ON released.log_id = r.log_id AND released.seq = r.seq "
)


def add(session: Session, row: HoldRow) -> None:
    """Keep a hold."""
    session.execute(sa.insert(t.hold).values(row._asdict()))


def release(session: Session, row: HoldReleasedRow) -> None:
    """Keep a hold's end."""
    session.execute(sa.insert(t.hold_released).values(row._asdict()))


def get(session: Session, hold_id: UUID) -> sa.Row[Any] | None:
    """Return a hold with its entry's bytes, and those of its end if it has ended."""
    return run(session, f"{_ALL} WHERE h.hold_id = %(hold_id)s", {"hold_id": hold_id}).first()


def every(session: Session, limit: int) -> list[sa.Row[Any]]:
    """Return holds: those that stand first, then the newest."""
    order = "ORDER BY r.seq IS NOT NULL, h.hold_id DESC LIMIT %(limit)s"
    return list(run(session, _ALL + order, {"limit": limit}))


def placed_since(session: Session, key_id: bytes, at_us: int) -> bool:
    """Say whether a hold stands against erasing a subject that was placed after a moment."""
    placed = f"SELECT FROM ({_ON_SUBJECT}) s JOIN hold h USING (hold_id) JOIN activity a USING (log_id, seq)"
    query = f"SELECT EXISTS ({placed} WHERE a.at > %(at)s)"
    return bool(run(session, query, {"key_id": key_id, "at": at_us}).scalar_one())


def on_subject(session: Session, key_id: bytes) -> list[UUID]:
    """Return the holds that stand against erasing a subject."""
    return [row.hold_id for row in run(session, _ON_SUBJECT, {"key_id": key_id})]
