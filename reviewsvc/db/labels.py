"""Labels: the rows of a model's label log, and which of them is in force for a prediction."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.projections import LabelRow, Place


def current(session: Session, model_id: int, id_hash: bytes) -> sa.Row[Any] | None:
    """Return the row of the label in force for a prediction; the label head must be locked."""
    standing = (t.label_current.c.model_id == model_id, t.label_current.c.id_hash == id_hash)
    at_place = (t.label.c.log_id == t.label_current.c.log_id, t.label.c.seq == t.label_current.c.seq)
    return session.execute(
        sa.select(t.label).join(t.label_current, sa.and_(*at_place)).where(*standing)
    ).first()


def add(session: Session, row: LabelRow, decided: Place | None) -> None:
    """Keep a label or a withdrawal, with the decision's entry that it follows from."""
    values = {
        **row._asdict(),
        "decision_log_id": decided and decided.log_id,
        "decision_seq": decided and decided.seq,
    }
    session.execute(sa.insert(t.label).values(values))
    if row.op == "add":
        _set_current(session, row)
    else:
        standing = (t.label_current.c.model_id == row.model_id, t.label_current.c.id_hash == row.id_hash)
        session.execute(sa.delete(t.label_current).where(*standing))


def logs_of(session: Session, model: str) -> list[sa.Row[Any]]:
    """Return a model's label logs, one per incarnation: log_id, incarnation, name, size, and what may leave.

    `leaving` is the seq, left out, up to which labels may leave: what is signed, once anything is.
    """
    leaving = sa.func.leaving_size(t.log.c.log_id).label("leaving")
    columns = (t.log.c.log_id, t.log.c.incarnation, t.log.c.name, t.head.c.size, leaving)
    return list(
        session.execute(
            sa.select(*columns)
            .join(t.head, t.head.c.log_id == t.log.c.log_id)
            .where(t.log.c.series == f"labels/{model}")
            .order_by(t.log.c.incarnation)
        )
    )


def _set_current(session: Session, row: LabelRow) -> None:
    values = {"model_id": row.model_id, "id_hash": row.id_hash, "log_id": row.log_id, "seq": row.seq}
    place = {"log_id": row.log_id, "seq": row.seq}
    session.execute(
        insert(t.label_current)
        .values(values)
        .on_conflict_do_update(index_elements=["model_id", "id_hash"], set_=place)
    )


class Counts(NamedTuple):
    """A model's labels in force, those withdrawn, and when the last came (microseconds)."""

    current: int
    withdrawn: int
    last_us: int | None


def counts(session: Session, model_id: int) -> Counts:
    """Count a model's labels."""
    standing = sa.select(sa.func.count()).select_from(t.label_current)
    current = session.scalar(standing.where(t.label_current.c.model_id == model_id)) or 0
    withdrawn = sa.func.count().filter(t.label.c.op == "withdraw")
    row = session.execute(
        sa.select(withdrawn, sa.func.max(t.label.c.at)).where(t.label.c.model_id == model_id)
    ).one()
    return Counts(current, row[0], row[1])
