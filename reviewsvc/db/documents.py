"""Versions of contracts, policies and queues, and the rows that say what is in force."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from reviewsvc.db.tables import document, lane, model, queue, retention_class
from reviewsvc.domain.projections import Place


class Kept(NamedTuple):
    """One version of a document, as it is kept."""

    kind: str
    name: str
    version: int
    body: bytes
    sha256: bytes
    applied_at: datetime
    log_id: int
    seq: int


class RetentionClass(NamedTuple):
    """A class of payloads that are kept equally long."""

    retention_class: int
    name: str
    keep_days: int
    prediction_days: int | None = None


_KEPT = [document.c[name] for name in Kept._fields]


def newest(session: Session) -> list[Kept]:
    """Return the newest version of every document, which is the one in force."""
    wanted = sa.select(*_KEPT).ext(distinct_on(document.c.kind, document.c.name))
    wanted = wanted.order_by(document.c.kind, document.c.name, document.c.version.desc())
    return [_kept(row) for row in session.execute(wanted)]


def versions(session: Session, kind: str, name: str) -> list[Kept]:
    """Return every version of a document, the newest first."""
    wanted = sa.select(*_KEPT).where(document.c.kind == kind, document.c.name == name)
    return [_kept(row) for row in session.execute(wanted.order_by(document.c.version.desc()))]


def add(session: Session, made: Kept) -> None:
    """Keep a new version."""
    session.execute(sa.insert(document).values(made._asdict()))


def retention_classes(session: Session) -> dict[str, RetentionClass]:
    """Return the retention classes by name."""
    found = session.execute(sa.select(*[retention_class.c[name] for name in RetentionClass._fields]))
    return {row.name: RetentionClass._make(row) for row in found}


def add_retention_class(
    session: Session, name: str, keep_days: int, prediction_days: int | None
) -> RetentionClass:
    """Add a retention class. The caller holds GEN alone, so that numbers are given once."""
    largest = session.scalars(sa.select(sa.func.max(retention_class.c.retention_class))).one()
    made = RetentionClass(largest + 1, name, keep_days, prediction_days)
    session.execute(sa.insert(retention_class).values(made._asdict()))
    return made


def put_queue(session: Session, name: str, version: int) -> None:
    """Bring a queue's version into force; a new queue gets its lane, the one that needs no skill."""
    made = insert(queue).values(name=name, version=version)
    kept = made.on_conflict_do_update(index_elements=["name"], set_={"version": version})
    queue_id = session.scalars(kept.returning(queue.c.queue_id)).one()
    session.execute(insert(lane).values(queue_id=queue_id, skills=[]).on_conflict_do_nothing())


def has_model(session: Session, name: str) -> bool:
    """Say whether the model is known."""
    return session.scalar(sa.select(model.c.model_id).where(model.c.name == name)) is not None


def add_model(session: Session, name: str, **columns: int) -> None:
    """Add a model."""
    session.execute(sa.insert(model).values(name=name, **columns))


def update_model(session: Session, name: str, **columns: int) -> None:
    """Change some of a model's columns."""
    session.execute(sa.update(model).where(model.c.name == name).values(**columns))


def kept(made: dict[str, Any], place: Place) -> Kept:
    """Make a version's row, once its entry stands."""
    return Kept(**made, log_id=place.log_id, seq=place.seq)


def _kept(row: sa.Row[Any]) -> Kept:
    return Kept._make(row)._replace(body=bytes(row.body), sha256=bytes(row.sha256))
