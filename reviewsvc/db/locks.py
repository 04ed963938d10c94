"""Advisory locks that save double work; what they guard is safe without them."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

_STEPS: Final = 7204


def try_step(session: Session, number: int) -> bool:
    """Take the lock of a periodic step until the transaction ends; False if another process has it."""
    return bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_STEPS, number))))
