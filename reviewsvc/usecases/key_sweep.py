"""Frees the file of the table of keys from the bytes of keys that were destroyed or wrapped anew."""

from datetime import datetime, timedelta
from typing import Final

from reviewsvc.db import keys
from reviewsvc.db.keys import Sweep
from reviewsvc.db.sessions import Sessions

# Up to this size the worker does it by itself: nobody waits longer than for a second or two.
LARGEST_BYTES: Final = 256 * 1024 * 1024
_SOON: Final = timedelta(minutes=2)
# A transaction that began before a key went keeps its row in the file: once more, when none can be left.
_SURELY: Final = timedelta(hours=2)


def step(sessions: Sessions, *, at: datetime) -> int:
    """Sweep two minutes after a key went, and once more two hours later; return 1 if it was done."""
    with sessions.begin() as session:
        state = keys.sweep_state(session)
        if not is_due(state, at) or state.size_bytes > LARGEST_BYTES:
            return 0
        keys.sweep(session, at)
        return 1


def is_due(state: Sweep, at: datetime) -> bool:
    """Say whether the table should be written anew now."""
    if state.wanted_at is None:
        return False
    due = [state.wanted_at + rest for rest in (_SOON, _SURELY) if state.wanted_at + rest <= at]
    return bool(due) and (state.swept_at is None or state.swept_at < due[-1])


def sweep(sessions: Sessions, *, at: datetime) -> Sweep:
    """Sweep now, however large the table is, and return what stood before."""
    with sessions.begin() as session:
        state = keys.sweep_state(session)
        keys.sweep(session, at)
        return state
