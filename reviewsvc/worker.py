"""The worker process: does the periodic steps until it is told to stop, and seals beside them."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy.exc import OperationalError

from reviewsvc import health, telemetry
from reviewsvc.config import erasure_journal, export_folder
from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import parse_verifier
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import SigningError, SignsCheckpoints
from reviewsvc.outside.erasure_journal import ErasureJournal
from reviewsvc.outside.line_file import LineFile
from reviewsvc.outside.signer_socket import SocketSigner
from reviewsvc.outside.syslog_tls import SyslogTls, Tls
from reviewsvc.usecases import guarding
from reviewsvc.usecases.anchor_choice import Choice, chosen
from reviewsvc.usecases.anchoring import Anchorer
from reviewsvc.usecases.bundles import Help
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.edges import LogChangedError
from reviewsvc.usecases.export_making import Exporter
from reviewsvc.usecases.guarding import UnconfirmedError
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.siem import Sink
from reviewsvc.usecases.steps import (
    all_steps,
    anchor_step,
    export_step,
    siem_steps,
    signing_steps,
    subject_steps,
    verify_step,
)
from reviewsvc.usecases.turns import Turns
from reviewsvc.usecases.verifying import Told, Verifying

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_WAIT_SECONDS: Final = 0.2
_CONNECTIONS: Final = 14
_log = telemetry.logger("worker")


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    starting: list[str] = ["starting"]
    workers: list[Turns] = []
    told = health.Health(
        ready=lambda: [reason for each in workers for reason in each.reasons()] if workers else starting,
        remarks=lambda: [remark for each in workers for remark in each.remarks()],
    )
    with health.served(told, host=settings.bind, port=settings.health_port):
        sessions = Sessions(settings.database_url, "worker", size=_CONNECTIONS)
        workers += _started(settings, sessions, stop, starting)
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


def _run(turns: Turns, stop: threading.Event) -> None:
    while not stop.is_set():
        if not turns.turn():
            stop.wait(_WAIT_SECONDS)


class Waiting(NamedTuple):
    """Who waits to start: when he is told to stop, and what is said of why he waits."""

    stop: threading.Event
    reasons: list[str]

    def say(self, why: str) -> None:
        """Say once why, and wait a second."""
        told = f"waiting to start: {why}"
        if self.reasons != [told]:
            self.reasons[:] = [told]
            _log.warning("waiting to start", reason=why)
        self.stop.wait(1.0)


def _started(
    settings: "Settings", sessions: Sessions, stop: threading.Event, starting: list[str]
) -> list[Turns]:
    """Wait for the database, and return who does the steps and who seals; nobody if told to stop first."""
    keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
    undo, lease = timedelta(minutes=settings.undo_minutes), timedelta(minutes=settings.lease_minutes)
    desk = Desk(sessions, keyring, lease=lease, undo=undo)
    signer = _signer(settings)
    anchorer = Anchorer(sessions, keyring, *chosen(anchor_choice(settings)))
    held = Held(sessions, keyring, signer, anchorer)
    if not _may_write(settings, held, Waiting(stop, starting)):
        return []
    steps = all_steps(desk) + subject_steps(desk, ErasureJournal(erasure_journal(settings)))
    exporter = _exporter(settings, sessions, keyring)
    signs = signing_steps(sessions, signer) if signer else ()
    anchoring = Turns(sessions, (anchor_step(anchorer),), _now, anchorer.remarks)
    siem = siem_steps(sessions, _sinks(settings))
    verifying = Verifying(sessions, keyring, settings.database_url, _told(settings, signer))
    groups = (steps, signs, siem, (export_step(exporter),), (verify_step(verifying),))
    return [anchoring, *(Turns(sessions, group, _now) for group in groups if group)]


class Held(NamedTuple):
    """What a start takes: transactions, keys, and who knows what was signed, in the house and out of it."""

    sessions: Sessions
    keyring: Keyring
    signer: SignsCheckpoints | None
    anchorer: Anchorer


def _may_write(settings: "Settings", held: Held, waiting: Waiting) -> bool:
    """Wait until the database may be written to; False if told to stop first."""
    shards = settings.activity_shards
    shown: list[bytes] | None = None
    while not waiting.stop.is_set():
        try:
            if held.signer:
                shown = _asked(held.anchorer) if shown is None else shown
                guarding.confirm(held.sessions, held.signer, _now(), shown)
            open_installation(held.sessions, held.keyring, settings.origin, _now(), activity_logs=shards)
        except OperationalError as error:
            waiting.say(str(error.orig).strip())
        except (UnconfirmedError, SigningError, LogChangedError) as error:
            waiting.say(str(error))
        else:
            return True
    return False


def _exporter(settings: "Settings", sessions: Sessions, keyring: Keyring) -> Exporter:
    keep = timedelta(days=settings.export_days)
    helped = Help(settings.export_processes, settings.database_url, _keks(settings))
    return Exporter(sessions, keyring, export_folder(settings), keep, help_=helped)


def _keks(settings: "Settings") -> KekSource:
    return KekSource(settings.kek_file, settings.keks, settings.kms)


def _asked(anchorer: Anchorer) -> list[bytes]:
    notes, silent = anchorer.shown()
    for name, why in silent.items():
        _log.warning("an anchor does not show what it has", anchor=name, reason=why)
    return notes


def _told(settings: "Settings", signer: SignsCheckpoints | None) -> Told:
    """What the worker's verification is told from outside the database."""
    keys = None
    if settings.verifier_keys_file:
        lines = Path(settings.verifier_keys_file).read_text("utf-8").split()
        keys = [parse_verifier(line) for line in lines]
    elif settings.signing_key_file:
        keys = [each.verifier() for each in signing_keys.load(Path(settings.signing_key_file))]
    memory = settings.data_dir / "verified-by-worker.json"
    return Told(keys, signer.tips if signer else None, memory, _keks(settings))


def anchor_choice(settings: "Settings") -> Choice:
    """What the settings say of anchors."""
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
