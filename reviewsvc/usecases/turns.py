"""Takes turns: does steps when they are due, and says in words what keeps one from its work."""

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import psycopg
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from reviewsvc import health, telemetry
from reviewsvc.db import troubles
from reviewsvc.db.sessions import Sessions
from reviewsvc.usecases.steps import Step, run_alone

_TROUBLED_SECONDS: Final = 60.0
_HOUSES: Final = {"reviewsvc", "consumers"}
_NONE: Final = timedelta()
# A full disk, a folder that may not be written: nobody needs a trace for these, which come again and again.
_FILES: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}
_AWAY: Final = "the database is away"
_FOUND = Counter("reviewsvc_worker_found", "What the periodic steps found to do.", ["step"])
_FAILED = Counter("reviewsvc_worker_failures", "Periodic steps that failed and are tried again.", ["step"])
_DONE_AT = Gauge("reviewsvc_worker_done_timestamp_seconds", "When a step last came to its end.", ["step"])
_log = telemetry.logger("worker")


class Turns:
    """Runs steps when they are due; one that fails is tried again and keeps no other from its turn."""

    def __init__(
        self,
        sessions: Sessions,
        steps: Sequence[Step],
        clock: Callable[[], datetime],
        remarks: health.Reasons = health.fine,
    ) -> None:
        self._sessions = sessions
        self.remarks = remarks
        self._steps = steps
        self._clock = clock
        self._due = dict.fromkeys((step.name for step in steps), clock())
        self._troubled: dict[str, float] = {}
        self._told: dict[str, str] = {}
        # What stands on the page of health; nothing of a step that works, None while nobody here knows.
        self._kept: dict[str, str | None] = dict.fromkeys(step.name for step in steps)

    def reasons(self) -> Sequence[str]:
        """Why it is not ready; asked by the health server from its thread."""
        now = time.monotonic()
        troubled = list(self._troubled.items())
        return [
            f"{name} has failed for {now - since:.0f} s: {self._told[name]}"
            for name, since in troubled
            if now - since > _TROUBLED_SECONDS
        ]

    def turn(self) -> bool:
        """Do every step whose time has come; say whether any found work, so that there may be more."""
        found = False
        for step in self._steps:
            left = self._due[step.name] - self._clock()
            # More than its period is left only if the clock went back: it must not wait for the old time.
            if left <= _NONE or left > step.every:
                found = self._do(step) or found
        return found

    def _do(self, step: Step) -> bool:
        at = self._clock()
        try:
            amount = run_alone(self._sessions, step, at)
        except Exception as error:  # noqa: BLE001 - the step's transactions are rolled back; it is tried again
            self._note_failure(step, error, at)
            amount = None
        else:
            self._note_success(step, amount, at)
        self._due[step.name] = at if amount else at + step.every
        return bool(amount)

    def _note_success(self, step: Step, amount: int | None, at: datetime) -> None:
        if self._troubled.pop(step.name, None) is not None:
            _log.info("step works again", step=step.name)
        if amount is None:
            return
        self._keep(step, "", at)
        _FOUND.labels(step.name).inc(amount)
        _DONE_AT.labels(step.name).set_to_current_time()

    def _note_failure(self, step: Step, error: Exception, at: datetime) -> None:
        _FAILED.labels(step.name).inc()
        why = why_of(error)
        is_new = self._told.get(step.name) != why or step.name not in self._troubled
        self._told[step.name] = why
        self._troubled.setdefault(step.name, time.monotonic())
        if is_new or not is_ours(error):
            _say(step, error, why)
        # Where the database is away nobody sees its page.
        if not _is_away(error):
            self._keep(step, why, at)

    def _keep(self, step: Step, why: str, at: datetime) -> None:
        """Keep it for the page of health; what cannot be kept now is kept the next time."""
        if self._kept[step.name] == why:
            return
        with suppress(SQLAlchemyError):
            with self._sessions.begin() as session:
                troubles.note(session, step.name, why, at)
            self._kept[step.name] = why


def is_ours(error: Exception) -> bool:
    """Say whether an error's text is enough: it is of this house, the database's absence, or of the disk."""
    is_told = _is_away(error) or _is_of_a_file(error)
    return is_told or type(error).__module__.partition(".")[0] in _HOUSES


def why_of(error: Exception) -> str:
    """What keeps a step from its work, in words; of others' errors the name alone: a text may tell much."""
    if _is_away(error):
        return _AWAY
    if isinstance(error, OSError) and _is_of_a_file(error):
        return f"{error.filename or 'a file'}: {error.strerror}"
    if is_ours(error):
        return str(error)
    return f"it broke off by {type(error).__name__}; its log line says where"


def _is_away(error: Exception) -> bool:
    return isinstance(
        error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError
    )


def _is_of_a_file(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _FILES


def _say(step: Step, error: Exception, why: str) -> None:
    if _is_away(error):
        _log.warning(_AWAY, step=step.name, reason=str(getattr(error, "orig", error)).strip())
    elif is_ours(error):
        _log.error("step failed", step=step.name, reason=why)
    else:
        _log.error("step failed", step=step.name, exc_info=error)
