"""Advisory locks that save double work; what they guard is safe without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.sessions import Sessions

_STEPS: Final = 7204


def try_step(session: Session, number: int) -> bool:
    """Take the lock of a periodic step until the transaction ends; False if another process has it."""
    return bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_STEPS, number))))


@contextmanager
def hold_step(sessions: Sessions, number: int) -> Iterator[bool]:
    """Hold the lock of a step that takes long, in no transaction; False if another process has it."""
    place = {"kind": _STEPS, "number": number}
    with sessions.connect() as connection:
        held = bool(connection.scalar(sa.text("SELECT pg_try_advisory_lock(:kind, :number)"), place))
        try:
            yield held
        finally:
            if held:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:kind, :number)"), place)
