"""Seals: how far a log may leave the house, its signed checkpoints, its tiles, and the keys' history."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.projections import CheckpointRow, SigningKeyRow

_LOCK = (7203, 4)


def sealed_size(session: Session, log_id: int) -> int | None:
    """Return how many entries of a log are signed; None while there is no signing key at all."""
    if not is_signed(session):
        return None
    largest = sa.select(sa.func.max(t.checkpoint.c.size)).where(t.checkpoint.c.log_id == log_id)
    return session.scalar(largest) or 0


def is_signed(session: Session) -> bool:
    """Say whether there is a signing key, so that what is stored waits for its seal."""
    return bool(session.scalar(sa.select(sa.exists(sa.select(t.signing_key)))))


def leaving_size(session: Session, log_id: int) -> int:
    """Return up to which seq, left out, a log's entries may leave: signed ones, or all without signing."""
    return session.scalar(sa.select(sa.func.leaving_size(log_id))) or 0


def lock_keys(session: Session) -> None:
    """Let one process at a time say something of the signing keys, until the transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*_LOCK)))


def add_key(session: Session, row: SigningKeyRow) -> None:
    """Keep what an entry said of a signing key."""
    session.execute(sa.insert(t.signing_key).values(row._asdict()))


def add_checkpoints(session: Session, rows: Sequence[CheckpointRow]) -> None:
    """Keep signed checkpoints."""
    if rows:
        session.execute(sa.insert(t.checkpoint), [row._asdict() for row in rows])
