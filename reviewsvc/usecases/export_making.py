"""Makes the bundles that were asked for, in the background; what a crash ended goes on where it stood."""

import errno
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from reviewsvc import telemetry
from reviewsvc.crypto.kek import KekError
from reviewsvc.db import export_jobs as rows
from reviewsvc.db import people
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.bundle import QuestionError
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.permissions import Reach, may, reach
from reviewsvc.usecases.bundles import Asked, BundleBusyError, BundleError, Help, Maker
from reviewsvc.usecases.exports import bundle_path, what_of
from reviewsvc.usecases.keyring import Keyring

_TOLD_EVERY_S: Final = 0.5
# So long at a time: between two turns the worker looks whether it is to stop.
_TURN_S: Final = 15.0
_MOST_TRIES: Final = 5
_FOLDER_AT_FAULT: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}

_IS_ID: Final = re.compile("[0-9a-f-]{36}")

_log = telemetry.logger("exports")


class RefusedError(Exception):
    """The export cannot be made any more; the text says why."""


class _CancelledError(Exception):
    """Somebody has cancelled it."""


class _PauseError(Exception):
    """Its turn is over; it goes on at the next one."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who makes bundles: in which folder, and how long a finished one is kept there."""

    sessions: Sessions
    keyring: Keyring
    folder: Path
    keep: timedelta = timedelta(days=7)
    turn_s: float = _TURN_S
    help_: Help | None = None

    def step(self, at: datetime) -> int:
        """Go on with the bundle that has waited longest; say whether there is more to do at once."""
        self._expire(at)
        self._discard_cancelled()
        with self.sessions.begin() as session:
            job = rows.oldest_open(session)
        if job is None:
            return 0
        try:
            return int(self._go_on(job, at))
        except _PauseError:
            return 1
        except _CancelledError:
            self._discard(job.job_id)
            return 1
        except BundleBusyError:
            return 0
        except (QuestionError, BundleError, RefusedError) as error:
            self._fail(job, str(error), at)
            return 1
        except OSError as error:
            if error.errno not in _FOLDER_AT_FAULT:
                self._count(job, error, at)
            # Neither this bundle nor any other can be made meanwhile; it goes on when that has ended.
            raise
        except Exception as error:
            self._count(job, error, at)
            raise

    def _count(self, job: sa.Row[Any], error: Exception, at: datetime) -> None:
        # What another try may mend is tried again; what never can be made must not keep the rest.
        tries = job.tries + 1
        self._update(job, tries=tries)
        if tries >= _MOST_TRIES:
            self._fail(job, _fault(tries, error), at)
        _log.warning("an export failed", export=str(job.job_id), tries=tries, reason=str(error))

    def _go_on(self, job: sa.Row[Any], at: datetime) -> bool:
        target, half = bundle_path(self.folder, job.job_id), self.folder / f"{job.job_id}.partial"
        if not target.exists():
            asked, within = self._allowed(job)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            maker = Maker(self.sessions, self.keyring, half, within, self.help_)
            made = maker.make(asked, at, self._teller(job))
            withheld = sum(made.withheld.values())
            self._tell(job, state="sealing", done=made.entries, disclosed=made.disclosed, withheld=withheld)
            if not maker.finish(target):
                return False
        # A crash may have come between the file's last name and the folder's end.
        shutil.rmtree(half, ignore_errors=True)
        self._tell(job, state="done", size=target.stat().st_size, ended_at=at, fault=None)
        _log.info("a bundle was made", export=str(job.job_id), bytes=target.stat().st_size)
        return True

    def _allowed(self, job: sa.Row[Any]) -> tuple[Asked, Reach]:
        """What was asked, and whose payloads may be disclosed: as the asker's roles stand now."""
        with self.sessions.begin() as session:
            what = what_of(session, self.keyring, job)
            grants = people.grants(session, [job.person_id])[job.person_id]
        if what is None:
            raise RefusedError("what was asked cannot be read any more")
        if job.disabled_at is not None or not may(grants, "entries.export"):
            raise RefusedError("who asked for it may not export entries any more")
        kind, _, actor_id = job.actor.partition(":")
        return Asked(what.question, what.purpose, Actor(kind, actor_id)), reach(
            grants, "payloads.open", what.scopes
        )

    def _teller(self, job: sa.Row[Any]) -> Callable[[int, int], None]:
        began, told = time.monotonic(), [0.0]

        def tell(done: int, wanted: int) -> None:
            now = time.monotonic()
            if now - told[0] >= _TOLD_EVERY_S or done == wanted:
                self._tell(job, state="making", done=done, wanted=wanted)
                told[0] = now
            if done < wanted and now - began >= self.turn_s:
                raise _PauseError

        return tell

    def _fail(self, job: sa.Row[Any], why: str, at: datetime) -> None:
        shutil.rmtree(self.folder / f"{job.job_id}.partial", ignore_errors=True)
        self._update(job, state="failed", fault=why[:500], ended_at=at)

    def _expire(self, at: datetime) -> None:
        before = at - self.keep
        with self.sessions.begin() as session:
            for job_id in rows.stale(session, before, microseconds(before)):
                bundle_path(self.folder, job_id).unlink(missing_ok=True)
                rows.update(session, job_id, state="expired")
            rows.forget(session, before, microseconds(before))

    def _discard_cancelled(self) -> None:
        """Remove what was brought in of those that were cancelled while nobody was at them."""
        begun = [path.stem for path in self.folder.glob("*.*") if path.suffix in {".partial", ".zip"}]
        with self.sessions.begin() as session:
            for job_id in rows.cancelled(session, [UUID(name) for name in begun if _IS_ID.fullmatch(name)]):
                self._discard(job_id)

    def _discard(self, job_id: UUID) -> None:
        shutil.rmtree(self.folder / f"{job_id}.partial", ignore_errors=True)
        bundle_path(self.folder, job_id).unlink(missing_ok=True)
        _log.info("a cancelled bundle was removed", export=str(job_id))

    def _tell(self, job: sa.Row[Any], **values: object) -> None:
        """Say how far it is. Raises _CancelledError once nobody wants to know."""
        if not self._update(job, **values):
            raise _CancelledError

    def _update(self, job: sa.Row[Any], **values: object) -> bool:
        with self.sessions.begin() as session:
            return rows.update(session, job.job_id, **values)


def _fault(tries: int, error: Exception) -> str:
    """What is said of a bundle that is given up; what may hold data of a row or a payload is not."""
    why = str(error).strip() if isinstance(error, OSError | LookupError | KekError) else ""
    told = (
        f"{type(error).__name__}: {why}" if why else f"a {type(error).__name__}, which the worker's log tells"
    )
    return f"it failed {tries} times, last by {told}; when that is mended, ask for it again"
