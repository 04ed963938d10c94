"""The worker verifies: each minute what is new, each night everything; an entry and metrics say it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import structs
from prometheus_client import Counter, Gauge

from reviewsvc import telemetry
from reviewsvc.crypto.notes import Verifier
from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.verdict import Report
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.outside_view import Marks, Outside, load_marks, next_marks, save_marks
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.verification import Scope, verify

# Where nothing else was said there is nothing new: verifying and anchoring make no work for each other.
OWN_KINDS: Final = ("verification", "anchor", "cosignature")
_NIGHT_HOUR: Final = 1
_DAY, _EVENING, _AGAIN = timedelta(days=1), timedelta(hours=6), timedelta(minutes=10)
_FIRST_SEAL_US: Final = 60_000_000
_RUNS = Counter("reviewsvc_verifications", "Verifications by the worker.", ["what", "verdict"])
_FINDINGS = Gauge(
    "reviewsvc_verification_findings", "What the last verification of this sort found.", ["what"]
)
_VERIFIED_AT = Gauge(
    "reviewsvc_verified_timestamp_seconds", "When the last one without findings ended.", ["what"]
)
_log = telemetry.logger("verifying")


class Told(NamedTuple):
    """What the worker is told from outside the database: keys, who asks the signer, where it remembers.

    With `keks` everything is everything: each payload whose key exists is opened too.
    """

    keys: Sequence[Verifier] | None
    tips: Callable[[Sequence[str]], Sequence[Tip]] | None
    memory: Path
    keks: KekSource | None = None


class NotVerifiedError(RuntimeError):
    """The last verification found something; the text says what first."""


class Verifying:
    """Verifies what is new, and everything once each night has begun; where it remembers none, at once."""

    def __init__(self, sessions: Sessions, keyring: Keyring, url: str, told: Told) -> None:
        self._sessions, self._keyring, self._url, self._told = sessions, keyring, url, told
        self._whole_at: datetime | None = None
        self._marks: Marks | None = None
        # What was found, by what was verified, until the same or everything is verified without it.
        self._faults: dict[str, str] = {}

    def step(self, at: datetime) -> int:
        """Verify what is due. Raises NotVerifiedError as long as something is found."""
        with connect(self._url, "worker") as conn:
            marks = self._marks or load_marks(self._told.memory)
            if self._is_whole_due(conn, marks, at):
                if marks is None and is_newborn(conn, at):
                    return 0
                report = self._verify(conn, Scope(), marks, at)
                self._whole_at = at
                self._tell("all", report, at)
            elif marks is not None and news(conn, marks):
                self._tell("new", self._verify(conn, Scope(since_last=True), marks, at), at)
        if self._faults:
            raise NotVerifiedError(next(iter(self._faults.values())))
        return 0

    def _is_whole_due(self, conn: Connected, marks: Marks | None, at: datetime) -> bool:
        """Say whether everything is due: once each night, as this process knows, else its memory outside.

        While everything was verified with a fault, it is soon again: it may have been mended.
        """
        last = self._whole_at
        if last is not None and "all" in self._faults:
            return abs(at - last) >= _AGAIN
        if last is None and marks and marks.whole_at and marks.installation == scan.installed(conn):
            last = moment(marks.whole_at)
        return night_has_passed(last, at)

    def _verify(self, conn: Connected, scope: Scope, marks: Marks | None, at: datetime) -> Report:
        keks = self._told.keks if scope.is_whole else None
        outside = Outside(self._told.keys, tips=self._told.tips, marks=marks, keks=keks)
        report = verify(conn, scope=scope, outside=outside)
        if not report.unsettled:
            whole_at = microseconds(at) if scope.is_whole else None
            told = f"{at:%Y-%m-%dT%H:%M:%SZ}"
            self._remember(next_marks(scan.installed(conn), told, report, marks, whole_at=whole_at))
        elif marks and scope.is_whole:
            # Who is started again must not take it for verified.
            self._remember(structs.replace(marks, whole_at=0))
        return report

    def _remember(self, marks: Marks) -> None:
        self._marks = marks
        try:
            save_marks(self._told.memory, marks)
        except OSError as fault:
            # It is remembered by this process; the next one begins with everything.
            _log.warning("not remembered", path=str(self._told.memory), reason=str(fault))

    def _tell(self, what: str, report: Report, at: datetime) -> None:
        """Say it in an entry, once for as long as it stays the same fault; and in metrics and log lines."""
        first = next(iter(report.unsettled or report.findings), None)
        found = f"{first.log}, seq {first.seq}: {first.what}" if first else ""
        # What was lost with a restore is lost for ever: it is said, and keeps nobody from working.
        fault = found if report.unsettled else ""
        _RUNS.labels(what, report.verdict.value).inc()
        _FINDINGS.labels(what).set(len(report.unsettled))
        told = f"{report.verdict}: {fault}" if fault else ""
        if not fault or told != self._faults.get(what):
            said = f.Verification(
                what,
                report.verdict.value,
                report.entries,
                len(report.findings),
                first.log if first else None,
                first.seq if first else None,
            )
            with self._sessions.begin() as session:
                one = Said("verification", said, about=f.VERIFICATIONS)
                record(session, self._keyring, [one], actor=None, at=at)
        if fault:
            self._faults[what] = told
            _log.error(
                "not verified", verdict=report.verdict.value, findings=len(report.findings), first=fault
            )
            return
        if what == "all":
            self._faults.clear()
        self._faults.pop(what, None)
        _VERIFIED_AT.labels(what).set_to_current_time()


def is_newborn(conn: Connected, at: datetime) -> bool:
    """Say whether it is signed since a moment ago, so that nothing is sealed yet and nothing is missing."""
    keys = stored.keys(conn)
    since = microseconds(at) - min((key.valid_from for key in keys), default=0)
    return bool(keys) and 0 <= since < _FIRST_SEAL_US and not stored.root_sealed_at(conn)


def night_has_passed(last: datetime | None, at: datetime) -> bool:
    """Say whether a night has begun since everything was verified; also if that was never, or is to come.

    Nights begin at one o'clock, UTC; what was verified in the six hours before counts for the night, and a
    clock that was set back by less is left alone.
    """
    if last is None or last - at > _EVENING:
        return True
    tonight = at.replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0)
    began = tonight if tonight <= at else tonight - _DAY
    return last < began - _EVENING


def news(conn: Connected, marks: Marks) -> bool:
    """Say whether anything was sealed behind what was verified, but for what verifying and anchoring say."""
    for head in scan.logs(conn):
        mark = marks.logs.get(head.name)
        known = mark.size if mark else 0
        if head.kind == "root" or head.sealed <= known:
            continue
        if head.kind != "activity" or stored.has_other_kinds(
            conn, head.log_id, range(known, head.sealed), OWN_KINDS
        ):
            return True
    return False
