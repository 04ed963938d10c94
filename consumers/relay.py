"""The relay process: labels, answers and checkpoints leave for their topics once, until told to stop."""

import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import psycopg
from kafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from consumers import broker, topic_notes
from consumers.broker import TopicError
from consumers.relay_log import LogRelay, Means
from consumers.relay_place import PlaceLostError
from consumers.settings import from_settings
from consumers.watchdog import Watchdog
from reviewsvc import health, telemetry
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db.hot import guards, keys, relays, scan
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.hot.guards import RestoredError, UnconfirmedError
from reviewsvc.db.hot.relays import RelayedLog
from reviewsvc.usecases.keyring import Keyring

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_IDLE_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 2.0
_HANG_SECONDS: Final = 180.0
_TROUBLED_SECONDS: Final = 60.0
_SENT = Counter("reviewsvc_relay_sent", "Records sent to topics.", ["topic"])
_BEHIND = Gauge("reviewsvc_relay_behind_entries", "Entries of logs that leave and were not looked at yet.")
_FAULTS = (KafkaError, TopicError, PlaceLostError, RestoredError)
_log = telemetry.logger("relay")


class Relay:
    """Every log that leaves, each sent by the one relay that holds its lock."""

    def __init__(self, settings: "Settings", stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop
        kafka = settings.kafka
        self._topics = {
            "labels": kafka.labels_topic,
            "activity": kafka.decisions_topic,
            "root": kafka.checkpoints_topic,
        }
        self._keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
        self._watchdog = Watchdog(_HANG_SECONDS)
        self._means: Means | None = None
        self._relays: dict[int, LogRelay] = {}
        self._faults: dict[str, tuple[float, str]] = {}
        self._again: dict[int, float] = {}
        self._stood: dict[int, int] = {}

    def reasons(self) -> Sequence[str]:
        """Why it is not ready; asked by the health server from its thread."""
        now = time.monotonic()
        faults = list(self._faults.items())
        late = [f"{name}: {why}" for name, (since, why) in faults if now - since > _TROUBLED_SECONDS]
        return late if self._means else ["starting", *late]

    def run(self) -> None:
        """Relay until told to stop; whatever breaks is built anew, and the place in Kafka decides."""
        while not self._stop.is_set():
            try:
                self._connect()
                while not self._stop.is_set():
                    if not self.turn():
                        self._stop.wait(_IDLE_SECONDS)
            except (psycopg.OperationalError, psycopg.InterfaceError, KafkaError, LookupError) as fault:
                self._note("service", fault)
                self._stop.wait(_RETRY_SECONDS)
            finally:
                self._drop_all()

    def turn(self) -> bool:
        """Take every log one part further; say whether any had something new."""
        assert self._means is not None
        moved, behind = False, 0
        for log in relays.logs(self._means.connection):
            moved = self._move(self._means, log) or moved
            relay = self._relays.get(log.log_id)
            if relay:
                self._stood[log.log_id] = relay.seen
            if relay or log.name in self._faults:
                behind += max(log.size - 1 - self._stood.get(log.log_id, 0), 0)
        _BEHIND.set(behind)
        return moved

    def _connect(self) -> None:
        # The locks live as long as this connection: when it is lost, all logs are dropped with it.
        connection = connect(self._settings.database_url, "relay")
        origin = scan.origin(connection)
        if origin is None:
            connection.close()
            raise LookupError("nothing is installed yet: start `web` or `worker` first")
        try:
            guards.check(connection)
        except (RestoredError, UnconfirmedError):
            connection.close()
            raise
        # With another KEK no key would open, and everything would leave as withdrawn.
        for wrapped in keys.hash_keys(connection).values():
            self._keyring.cipher(wrapped)
        kafka = from_settings(self._settings.kafka)
        admin = broker.admin(kafka, client_id="reviewsvc-relay-admin")
        self._means = Means(kafka, admin, connection, self._keyring, origin)
        self._forgive("service")
        _log.info("relaying")

    def _move(self, means: Means, log: RelayedLog) -> bool:
        if time.monotonic() < self._again.get(log.log_id, 0.0):
            return False
        try:
            with self._watchdog:
                relay = self._relays.get(log.log_id) or self._open(means, log)
                sent = relay.step(log) if relay else None
        except _FAULTS as fault:
            # Fenced, an unknown end of a commit, a lost producer id: none can be told from another for sure.
            self._drop(means, log, fault)
            return False
        if sent:
            _SENT.labels(self._topics[log.kind]).inc(sent)
        return sent is not None

    def _open(self, means: Means, log: RelayedLog) -> LogRelay | None:
        """Begin with a log; None while another relay has it."""
        if not relays.try_lock(means.connection, log.log_id):
            self._again[log.log_id] = time.monotonic() + 1.0
            return None
        if log.kind == "root":
            topic_notes.check(means, self._topics[log.kind])
        relay = self._relays[log.log_id] = LogRelay(means, log, self._topics[log.kind])
        self._forgive(log.name)
        _log.info("relaying a log", log=log.name, seq=relay.seen)
        return relay

    def _drop(self, means: Means, log: RelayedLog, fault: Exception) -> None:
        self._note(log.name, fault)
        relay = self._relays.pop(log.log_id, None)
        if relay is not None:
            relay.close()
        relays.unlock(means.connection, log.log_id)
        self._again[log.log_id] = time.monotonic() + _RETRY_SECONDS

    def _drop_all(self) -> None:
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()
        self._again.clear()
        means, self._means = self._means, None
        if means is not None:
            means.admin.close()
            means.connection.close()

    def _note(self, name: str, fault: Exception) -> None:
        since, why = self._faults.get(name, (time.monotonic(), ""))
        told = str(fault).strip() or type(fault).__name__
        self._faults[name] = (since, told)
        if told != why:
            _log.warning("not relayed", log=name, reason=told)

    def _forgive(self, name: str) -> None:
        if self._faults.pop(name, None) is not None:
            _log.info("relayed again", log=name)


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    relay = Relay(settings, stop)
    try:
        with health.served(health.Health(ready=relay.reasons), host=settings.bind, port=settings.health_port):
            relay.run()
    except RestoredError as fault:
        sys.exit(str(fault))
