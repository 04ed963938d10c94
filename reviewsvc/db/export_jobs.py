"""Bundles that were asked for: one row each, from the asking to its end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run

OPEN: Final = ("waiting", "making", "sealing")
CANCELLED: Final = "cancelled"
_JOB: Final = (
    "SELECT j.*, p.name AS by, p.disabled_at, (SELECT count(*) FROM export_download d WHERE d.job_id = "
    "j.job_id) "
    "AS downloads, (SELECT max(at) FROM export_download d WHERE d.job_id = j.job_id) AS downloaded_at "
    "FROM export_job j JOIN person p USING (person_id)"
)
_NEXT: Final = f"{_JOB} WHERE j.state IN ('waiting', 'making', 'sealing') ORDER BY j.asked_at LIMIT 1"
_PAGE: Final = (
    f"{_JOB} WHERE (j.asked_at, j.job_id) < (%(asked_at)s, %(job_id)s) "
    "ORDER BY j.asked_at DESC, j.job_id DESC LIMIT %(limit)s"
)
_PAST: Final = (
    "(ended_at < %(before)s OR asked_at < (SELECT to_timestamp(max(at) / 1000000.0) FROM activity "
    "WHERE kind IN ('access', 'export', 'subject_export', 'erasure') "
    "AND kind = 'erasure' AND at >= %(before_us)s))"
)
# Once somebody was erased, no bundle that was made before may still be taken.
_STALE: Final = f"SELECT job_id FROM export_job WHERE state = 'done' AND {_PAST}"
# The question may name whoever was erased.
_FORGET: Final = (
    "UPDATE export_job SET asked = '' WHERE state IN ('expired', 'failed', 'cancelled') "
    f"AND octet_length(asked) > 0 AND {_PAST}"
)
_LAST: Final = UUID(int=2**128 - 1)


class Asked(NamedTuple):
    """What was asked, sealed, and who asked it."""

    job_id: UUID
    person_id: UUID
    actor: str
    kind: str
    key_id: bytes
    commitment: bytes
    asked: bytes
    asked_at: datetime


class Download(NamedTuple):
    """Who took a bundle, and the entry that says so."""

    log_id: int
    seq: int
    job_id: UUID
    person_id: UUID
    at: datetime


def add(session: Session, asked: Asked) -> None:
    """Keep what was asked."""
    session.execute(sa.insert(t.export_job).values(asked._asdict()))


def get(session: Session, job_id: UUID) -> sa.Row[Any] | None:
    """Return one of them with the name of who asked it, as `by`, and its downloads; None if there is none."""
    return run(session, f"{_JOB} WHERE j.job_id = %(job_id)s", {"job_id": job_id}).first()


def oldest_open(session: Session) -> sa.Row[Any] | None:
    """Return the one that has waited longest for its end."""
    return run(session, _NEXT, {}).first()


def page(session: Session, before: tuple[datetime, UUID] | None, limit: int) -> list[sa.Row[Any]]:
    """Return them, the newest first, before the last one of an earlier page."""
    asked_at, job_id = before or ("infinity", _LAST)
    return list(run(session, _PAGE, {"asked_at": asked_at, "job_id": job_id, "limit": limit}))


def update(session: Session, job_id: UUID, **values: object) -> bool:
    """Change columns of one of them; False if it was cancelled."""
    job = t.export_job
    change = sa.update(job).where(job.c.job_id == job_id, job.c.state != CANCELLED).values(values)
    return session.execute(change.returning(job.c.job_id)).first() is not None


def cancel(session: Session, job_id: UUID, at: datetime) -> bool:
    """Cancel one of them; False if it has come to its end."""
    job = t.export_job
    change = sa.update(job).where(job.c.job_id == job_id, job.c.state.in_(OPEN))
    ended = change.values(state=CANCELLED, ended_at=at).returning(job.c.job_id)
    return session.execute(ended).first() is not None


def cancelled(session: Session, job_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of them that were cancelled."""
    job = t.export_job
    asked = sa.select(job.c.job_id).where(job.c.job_id.in_(job_ids), job.c.state == CANCELLED)
    return list(session.scalars(asked))


def stale(session: Session, before: datetime, before_us: int) -> list[UUID]:
    """Return those that ended before a moment, or were asked before the last erasure after that moment."""
    return [row[0] for row in run(session, _STALE, {"before": before, "before_us": before_us})]


def forget(session: Session, before: datetime, before_us: int) -> None:
    """Forget what was asked with those that are over, as `stale` says it of bundles."""
    run(session, _FORGET, {"before": before, "before_us": before_us})


def add_download(session: Session, download: Download) -> None:
    """Keep who took a bundle."""
    session.execute(sa.insert(t.export_download).values(download._asdict()))
