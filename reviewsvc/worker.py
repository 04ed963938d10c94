"""The worker process: does the periodic steps until it is told to stop, and seals beside them."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge
from sqlalchemy.exc import InterfaceError, OperationalError

from reviewsvc import health, telemetry
from reviewsvc.config import erasure_journal, export_folder
from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import parse_verifier
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import SigningError, SignsCheckpoints
from reviewsvc.outside.erasure_journal import ErasureJournal, JournalError
from reviewsvc.outside.line_file import LineFile
from reviewsvc.outside.signer_socket import SocketSigner
from reviewsvc.outside.syslog_tls import SyslogTls, Tls
from reviewsvc.usecases import guarding
from reviewsvc.usecases.anchor_choice import Choice, chosen
from reviewsvc.usecases.anchoring import Anchorer
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.export_making import Exporter
from reviewsvc.usecases.guarding import RestoredError, UnconfirmedError
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.sealing import SealingError
from reviewsvc.usecases.siem import Sink
from reviewsvc.usecases.steps import (
    Step,
    all_steps,
    anchor_step,
    export_step,
    run_alone,
    siem_steps,
    signing_steps,
    subject_steps,
    verify_step,
)
from reviewsvc.usecases.verifying import Told, Verifying

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_TROUBLED_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 0.2
_CONNECTIONS: Final = 14
_FOUND = Counter("reviewsvc_worker_found", "What the periodic steps found to do.", ["step"])
_FAILED = Counter("reviewsvc_worker_failures", "Periodic steps that failed and are tried again.", ["step"])
_DONE_AT = Gauge("reviewsvc_worker_done_timestamp_seconds", "When a step last came to its end.", ["step"])
_log = telemetry.logger("worker")


class Worker:
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

    def reasons(self) -> Sequence[str]:
        """Why it is not ready; asked by the health server from its thread."""
        now = time.monotonic()
        troubled = list(self._troubled.items())
        return [
            f"{name} has failed for {now - since:.0f} s"
            for name, since in troubled
            if now - since > _TROUBLED_SECONDS
        ]

    def turn(self) -> bool:
        """Do every step whose time has come; say whether any found work, so that there may be more."""
        found = False
        for step in self._steps:
            if self._clock() >= self._due[step.name]:
                found = self._do(step) or found
        return found

    def _do(self, step: Step) -> bool:
        at = self._clock()
        try:
            amount = run_alone(self._sessions, step, at)
        except Exception as error:  # noqa: BLE001 - the step's transactions are rolled back; it is tried again
            self._note_failure(step, error)
            amount = None
        else:
            self._note_success(step, amount or 0)
        self._due[step.name] = at if amount else at + step.every
        return bool(amount)

    def _note_success(self, step: Step, amount: int) -> None:
        if self._troubled.pop(step.name, None) is not None:
            _log.info("step works again", step=step.name)
        _FOUND.labels(step.name).inc(amount)
        _DONE_AT.labels(step.name).set_to_current_time()

    def _note_failure(self, step: Step, error: Exception) -> None:
        _FAILED.labels(step.name).inc()
        is_new = self._told.get(step.name) != str(error) or step.name not in self._troubled
        self._troubled.setdefault(step.name, time.monotonic())
        self._told[step.name] = str(error)
        if isinstance(error, OperationalError | InterfaceError):
            if is_new:
                _log.warning("the database is away", step=step.name, reason=str(error.orig).strip())
        elif isinstance(error, SealingError | SigningError | RestoredError | JournalError):
            if is_new:
                _log.error("step failed", step=step.name, reason=str(error))
        else:
            _log.error("step failed", step=step.name, exc_info=error)


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    starting: list[str] = ["starting"]
    workers: list[Worker] = []
    told = health.Health(
        ready=lambda: [reason for each in workers for reason in each.reasons()] if workers else starting,
        remarks=lambda: [remark for each in workers for remark in each.remarks()],
    )
    with health.served(told, host=settings.bind, port=settings.health_port):
        sessions = Sessions(settings.database_url, "worker", size=_CONNECTIONS)
        workers += _started(settings, sessions, stop)
        if workers:
            _log.info("working", seals=bool(settings.signer_socket or settings.signing_key_file))
        # What takes long among the other steps must not delay the seals: they have a thread of their own.
        threads = [threading.Thread(target=_run, args=(each, stop)) for each in workers]
        for thread in threads:
            thread.start()
        stop.wait()
        for thread in threads:
            thread.join()
        sessions.close()


def _run(worker: Worker, stop: threading.Event) -> None:
    while not stop.is_set():
        if not worker.turn():
            stop.wait(_WAIT_SECONDS)


def _started(settings: "Settings", sessions: Sessions, stop: threading.Event) -> list[Worker]:
    """Wait for the database, and return who does the steps and who seals; nobody if told to stop first."""
    keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
    undo, lease = timedelta(minutes=settings.undo_minutes), timedelta(minutes=settings.lease_minutes)
    desk = Desk(sessions, keyring, lease=lease, undo=undo)
    signer = _signer(settings)
    anchorer = Anchorer(sessions, keyring, *chosen(_choice(settings)))
    while not stop.is_set():
        try:
            if signer:
                guarding.confirm(sessions, signer, _now())
            shards = settings.activity_shards
            open_installation(sessions, keyring, settings.origin, _now(), activity_logs=shards)
        except OperationalError as error:
            _log.warning("waiting to start", reason=str(error.orig).strip())
            stop.wait(1.0)
        except (UnconfirmedError, SigningError) as error:
            _log.warning("waiting to start", reason=str(error))
            stop.wait(1.0)
        else:
            steps = all_steps(desk) + subject_steps(desk, ErasureJournal(erasure_journal(settings)))
            exporter = Exporter(
                sessions, keyring, export_folder(settings), timedelta(days=settings.export_days)
            )
            signs = signing_steps(sessions, signer) if signer else ()
            anchoring = Worker(sessions, (anchor_step(anchorer),), _now, anchorer.remarks)
            siem = siem_steps(sessions, _sinks(settings))
            verifying = Verifying(sessions, keyring, settings.database_url, _told(settings, signer))
            groups = (steps, signs, siem, (export_step(exporter),), (verify_step(verifying),))
            return [anchoring, *(Worker(sessions, group, _now) for group in groups if group)]
    return []


def _told(settings: "Settings", signer: SignsCheckpoints | None) -> Told:
    """What the worker's verification is told from outside the database."""
    keys = None
    if settings.verifier_keys_file:
        lines = Path(settings.verifier_keys_file).read_text("utf-8").split()
        keys = [parse_verifier(line) for line in lines]
    elif settings.signing_key_file:
        keys = [each.verifier() for each in signing_keys.load(Path(settings.signing_key_file))]
    keks = KekSource(settings.kek_file, settings.keks, settings.kms)
    return Told(keys, signer.tips if signer else None, settings.data_dir / "verified-by-worker.json", keks)


def _choice(settings: "Settings") -> Choice:
    return Choice(
        every_s=settings.anchor_seconds,
        policy_file=settings.witness_policy_file,
        bucket=settings.anchor_bucket,
        bucket_days=settings.anchor_bucket_days,
        tsa_url=settings.anchor_tsa_url,
        tsa_ca_file=settings.anchor_tsa_ca_file,
        folder=settings.anchor_folder,
        mail_to=settings.anchor_mail_to,
        mail_from=settings.anchor_mail_from,
        mail_minutes=settings.anchor_mail_minutes,
        smtp_url=settings.smtp_url,
    )


def _sinks(settings: "Settings") -> list[Sink]:
    """Where activity is sent to."""
    sinks: list[Sink] = []
    if settings.siem_file:
        sinks.append(LineFile(Path(settings.siem_file)))
    if settings.siem_syslog:
        host, _, port = settings.siem_syslog.rpartition(":")
        tls = Tls(settings.siem_cafile, settings.siem_certfile, settings.siem_keyfile)
        sinks.append(SyslogTls((host.strip("[]"), int(port)), tls, settings.origin))
    return sinks


def _signer(settings: "Settings") -> SignsCheckpoints | None:
    """The signer behind a socket, or the keys of this process; None where another worker seals."""
    if settings.signer_socket:
        return SocketSigner(Path(settings.signer_socket))
    if settings.signing_key_file:
        keys = Path(settings.signing_key_file)
        return LogSigner(keys, Path(settings.signer_state_file or f"{keys}.state"))
    return None


def _now() -> datetime:
    return datetime.now(UTC)
