"""Keeps a restored database from being written to: whoever knows what was signed looks, before all others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from reviewsvc import telemetry
from reviewsvc.db import installations
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.guards import RestoredError, UnconfirmedError
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.signing import SignsCheckpoints, Tip
from reviewsvc.usecases import holdings, own_notes
from reviewsvc.usecases.holdings import Holding

__all__ = ["RestoredError", "UnconfirmedError", "check", "confirm", "guard_step", "hold_against"]
_MOST_TOLD: Final = 5
_log = telemetry.logger("guard")


def check(session: Session) -> None:
    """Let a writer start. Raises RestoredError, and UnconfirmedError where somebody else is to look first."""
    guards.check(Sessions.psycopg(session))


def confirm(sessions: Sessions, signer: SignsCheckpoints, at: datetime, notes: Sequence[bytes] = ()) -> None:
    """Hold the database against what was signed, and note what was found for those who cannot ask.

    `notes` are checkpoints that came back from where they were kept: one that a key of this house signed
    counts as much as what the signer remembers, any other as nothing. If anything is lost, all logs are
    frozen. Raises RestoredError, which says what to do, SigningError and LogChangedError.
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
        trouble = _found(session, row.origin, signed, notes)
        if trouble is None and guard.trouble is None:
            guards.confirm(conn, at)
            return
        _stop(conn, at, trouble or guard.trouble or "", notes if trouble else ())
    with sessions.begin() as session:
        check(session)


def hold_against(sessions: Sessions, notes: Sequence[bytes], at: datetime) -> str | None:
    """Hold the database against checkpoints that came back from outside; stop every writer if it holds less.

    Return what is lost, None if nothing is: also where no key of this house signed them. Raises
    LogChangedError.
    """
    with sessions.begin() as session:
        row = installations.get(session)
        trouble = _found(session, row.origin, (), notes) if row else None
        if trouble:
            _stop(Sessions.psycopg(session), at, trouble, notes)
    return trouble


def guard_step(sessions: Sessions, signer: SignsCheckpoints, at: datetime) -> int:
    """Look again, since a server may have given way to a standby under running processes."""
    confirm(sessions, signer, at)
    return 0


def _found(session: Session, origin: str, signed: Sequence[Tip], notes: Sequence[bytes]) -> str | None:
    shown, strange = own_notes.read_all(Sessions.psycopg(session), notes)
    for why in strange:
        _log.error("somebody keeps a checkpoint under our name that proves nothing", reason=why)
    return _trouble(holdings.lost(holdings.hold(session, origin, signed, shown)))


def _stop(conn: Connected, at: datetime, trouble: str, notes: Sequence[bytes]) -> None:
    """Note what is lost, with the checkpoints that show it, and let nobody append to any log any more."""
    guards.confirm(conn, at, trouble, [note.decode("utf-8", "replace") for note in notes])
    guards.freeze(conn)


def _trouble(lost: list[Holding]) -> str | None:
    if not lost:
        return None
    told = "; ".join(map(str, lost[:_MOST_TOLD]))
    more = f"; and {len(lost) - _MOST_TOLD} more logs" if len(lost) > _MOST_TOLD else ""
    _log.error("the database holds less than was signed", logs=len(lost), entries=sum(h.lost for h in lost))
    return f"this database holds less than was signed of it: {told}{more}"
