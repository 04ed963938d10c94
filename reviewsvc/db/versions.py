"""Versions of documents, models and queues, read by name."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run


class DocumentMissingError(LookupError):
    """There is no such document."""


class QueueMissingError(LookupError):
    """There is no such queue."""


def body(session: Session, kind: str, name: str, version: int) -> bytes:
    """Return a document's canonical body. Raises DocumentMissingError."""
    wanted = (t.document.c.kind == kind, t.document.c.name == name, t.document.c.version == version)
    found = session.scalar(sa.select(t.document.c.body).where(*wanted))
    if found is None:
        raise DocumentMissingError(f"there is no {kind} {name} of version {version}")
    return bytes(found)


def queue(session: Session, name: str) -> sa.Row[Any]:
    """Return a queue: queue_id, name, version. Raises QueueMissingError."""
    found = run(session, "SELECT * FROM queue WHERE name = %(name)s", {"name": name}).first()
    if found is None:
        raise QueueMissingError(f"There is no queue {name}.")
    return found


def queues(session: Session) -> list[sa.Row[Any]]:
    """Return all queues in the order of their names."""
    return list(session.execute(sa.select(t.queue).order_by(t.queue.c.name)))


def lane(session: Session, queue_id: int) -> int:
    """Return a queue's first lane."""
    found: int = session.scalars(
        sa.select(sa.func.min(t.lane.c.lane_id)).where(t.lane.c.queue_id == queue_id)
    ).one()
    return found


def model(session: Session, name: str) -> sa.Row[Any] | None:
    """Return a model's row; None if it has no contract here."""
    return session.execute(sa.select(t.model).where(t.model.c.name == name)).first()


def version_text(session: Session, version_id: int) -> str | None:
    """Return what a model's version calls itself."""
    return session.scalar(
        sa.select(t.model_version.c.version).where(t.model_version.c.version_id == version_id)
    )
