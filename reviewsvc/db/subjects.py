"""What is kept of a subject, found by its key: predictions, tasks, labels, and what had left of them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run

_OF_SUBJECT: Final = (
    "SELECT p.log_id, p.seq, p.at, p.retention_class, p.id_hash, m.name AS model, l.name AS log, l.topic "
    "FROM prediction p JOIN model m USING (model_id) JOIN log l USING (log_id) "
    "WHERE p.subject = %(key_id)s ORDER BY p.at, p.log_id, p.seq"
)
# A task belongs to the subject of the prediction that asked for it, whatever was sent under its id later.
_TASKS: Final = (
    "SELECT t.task_id, t.status, t.activity_log_id, t.answer_log_id, t.answer_seq FROM task t "
    "JOIN prediction p ON p.log_id = t.prediction_log_id AND p.seq = t.prediction_seq "
    "AND p.retention_class = t.retention_class AND p.at = t.prediction_at "
    "WHERE p.subject = %(key_id)s ORDER BY t.task_id"
)
_STANDING: Final = (
    "SELECT l.*, m.name AS model, m.label_log_id, m.retention_class FROM label_current c "
    "JOIN label l USING (log_id, seq) JOIN model m ON m.model_id = l.model_id "
    "WHERE c.id_hash = ANY(%(id_hashes)s) ORDER BY l.log_id, l.seq"
)
_ABOUT: Final = (
    "SELECT a.log_id, a.seq, a.at, n.name AS log, e.body FROM activity a JOIN entry e USING (log_id, seq) "
    "JOIN log n USING (log_id) WHERE a.task_id = ANY(%(task_ids)s) ORDER BY a.at, a.log_id, a.seq"
)
_LABELS: Final = (
    "SELECT l.log_id, l.seq, l.at, n.name AS log, e.body FROM label l JOIN entry e USING (log_id, seq) "
    "JOIN log n USING (log_id) WHERE l.id_hash = ANY(%(id_hashes)s) ORDER BY l.at, l.log_id, l.seq"
)


class Kept(NamedTuple):
    """What is kept of a subject: rows of its predictions and tasks."""

    predictions: list[sa.Row[Any]]
    tasks: list[sa.Row[Any]]

    @property
    def id_hashes(self) -> list[bytes]:
        """The keyed hashes of its predictions."""
        return sorted({bytes(row.id_hash) for row in self.predictions})

    @property
    def task_ids(self) -> list[UUID]:
        """The ids of its tasks."""
        return [row.task_id for row in self.tasks]


def key_of(session: Session, subject: bytes) -> bytes | None:
    """Return the id of a subject's key by the subject's keyed hash; None if there is none, or no more."""
    found = session.scalar(sa.select(t.data_key.c.key_id).where(t.data_key.c.subject == subject))
    return None if found is None else bytes(found)


def has_key(session: Session, key_id: bytes) -> bool:
    """Say whether a key exists and is a subject's or a quarantined event's, which may be erased."""
    wanted = (t.data_key.c.key_id == key_id, t.data_key.c.day.is_(None))
    return session.scalar(sa.select(t.data_key.c.key_id).where(*wanted)) is not None


def kept(session: Session, key_id: bytes) -> Kept:
    """Return what is kept of a subject, in the order in which it came."""
    asked = {"key_id": key_id}
    return Kept(list(run(session, _OF_SUBJECT, asked)), list(run(session, _TASKS, asked)))


def standing_labels(session: Session, id_hashes: Collection[bytes]) -> list[sa.Row[Any]]:
    """Return the labels in force for these predictions."""
    return list(run(session, _STANDING, {"id_hashes": list(id_hashes)}))


def entries_about(session: Session, found: Kept) -> list[sa.Row[Any]]:
    """Return the entries about a subject's cases: of activity logs, then of label logs, with their bytes."""
    about = list(run(session, _ABOUT, {"task_ids": found.task_ids}))
    return about + list(run(session, _LABELS, {"id_hashes": found.id_hashes}))


def destroy_keys(session: Session, key_ids: Collection[bytes], at: datetime) -> None:
    """Destroy keys; the table's file is free of them after a sweep."""
    session.execute(sa.delete(t.data_key).where(t.data_key.c.key_id.in_(key_ids)))
    session.execute(sa.update(t.key_sweep).values(wanted_at=at))


def empty(session: Session, key_id: bytes) -> None:
    """Empty what predictions say of their subject."""
    emptied = sa.update(t.prediction).where(t.prediction.c.subject == key_id)
    session.execute(emptied.values(subject=None, segment=None))
