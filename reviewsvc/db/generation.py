"""GEN: one advisory lock and one number, bumped by whoever changes what is captured, routed or readable."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run
from reviewsvc.db.tables import generation

_LOCK: Final = (7203, 1)
_SHARE: Final = f"SELECT pg_advisory_xact_lock_shared({_LOCK[0]}, {_LOCK[1]})"
_SEEN: Final = "generation"


def share(session: Session) -> int:
    """Hold GEN shared until the transaction ends, and return the generation that therefore stands."""
    run(session, _SHARE, {})
    return _read(session)


def bump(session: Session) -> int:
    """Hold GEN alone until the transaction ends, and begin the next generation.

    Comes first in its transaction, before any other lock.
    """
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*_LOCK)))
    value = session.scalars(
        sa.update(generation).values(value=generation.c.value + 1).returning(generation.c.value)
    ).one()
    session.info[_SEEN] = value
    return int(value)


def current(session: Session) -> int:
    """Return the generation, read once a transaction."""
    seen = session.info.get(_SEEN)
    return seen if isinstance(seen, int) else _read(session)


def _read(session: Session) -> int:
    value = int(run(session, "SELECT value FROM generation", {}).scalar_one())
    session.info[_SEEN] = value
    return value
