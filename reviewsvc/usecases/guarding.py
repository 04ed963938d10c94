"""Keeps a restored database from being written to: whoever knows what was signed looks, before all others."""

from datetime import datetime
from typing import Final

from reviewsvc import telemetry
from reviewsvc.db import installations
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.guards import RestoredError, UnconfirmedError
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.signing import SignsCheckpoints
from reviewsvc.usecases import holdings
from reviewsvc.usecases.holdings import Holding

__all__ = ["RestoredError", "UnconfirmedError", "check", "confirm", "guard_step"]
_MOST_TOLD: Final = 5
_log = telemetry.logger("guard")


def check(session: Session) -> None:
    """Let a writer start. Raises RestoredError, and UnconfirmedError where somebody else is to look first."""
    guards.check(Sessions.psycopg(session))


def confirm(sessions: Sessions, signer: SignsCheckpoints, at: datetime) -> None:
    """Hold the database against what was signed, and note what was found for those who cannot ask.

    If anything is lost, all logs are frozen. Raises RestoredError, which says what to do, SigningError and
    LogChangedError.
    """
    signed = signer.everything()
    with sessions.begin() as session:
        conn = Sessions.psycopg(session)
        guard, row = guards.look(conn), installations.get(session)
        if guard is None or row is None:
            return
        guards.check_identity(guard)
        if not guard.signs:
            return
        held = holdings.hold(session, row.origin, signed)
        trouble = _trouble(holdings.lost(held))
        if trouble is None and guard.trouble is None:
            guards.confirm(conn, at)
            return
        guards.confirm(conn, at, trouble or guard.trouble)
        guards.freeze(conn)
    with sessions.begin() as session:
        check(session)


def guard_step(sessions: Sessions, signer: SignsCheckpoints, at: datetime) -> int:
    """Look again, since a server may have given way to a standby under running processes."""
    confirm(sessions, signer, at)
    return 0


def _trouble(lost: list[Holding]) -> str | None:
    if not lost:
        return None
    told = "; ".join(map(str, lost[:_MOST_TOLD]))
    more = f"; and {len(lost) - _MOST_TOLD} more logs" if len(lost) > _MOST_TOLD else ""
    _log.error("the database holds less than was signed", logs=len(lost), entries=sum(h.lost for h in lost))
    return f"this database holds less than was signed of it: {told}{more}"
