"""The capture process: takes predictions from Kafka into the log, exactly once, until it is told to stop."""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

import psycopg

from consumers import broker
from consumers.assembly import Assembly
from consumers.assigned import Parts
from consumers.fetch import RawFetch
from consumers.lag import HANGING_SECONDS, LOOK_SECONDS, Lag
from consumers.loop import Loop
from consumers.measures import Measures
from consumers.partitions import Claims
from consumers.reader import Reader
from consumers.settings import from_settings
from consumers.trouble import DATABASE, INSTALLATION, KAFKA, KAFKA_ERRORS, TOPIC, Troubles, whose
from consumers.writer import Writer
from reviewsvc import health, telemetry
from reviewsvc.config import Settings
from reviewsvc.crypto.kek import KekError, WrapsKeys
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db.hot import guards, places
from reviewsvc.db.hot.connection import Connected, RoleError, connect
from reviewsvc.db.hot.guards import RestoredError
from reviewsvc.domain.moments import moment

_POLL_SECONDS = 0.5
_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 5.0)
_SLOW_SECONDS = 5.0
# Where nothing comes that could prove it, the database is taken for well after this time without a fault.
_PROVEN_SECONDS = 10.0
_GC_OBJECTS = 200_000
_SWITCH_SECONDS = 0.0005
_NEVER = moment(0).date()
_log = telemetry.logger("capture")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is wrong may last until it is told, in seconds.

    `member` is how long Kafka waits for a member that is silent before its partitions go to others.
    """

    unready: float = 60.0
    silent: float = 10.0
    look: float = LOOK_SECONDS
    hanging: float = HANGING_SECONDS
    member: float = 10.0


class Capture:
    """The process's parts and its life: start when the service is there, go on after what breaks, stop."""

    def __init__(self, settings: Settings, stop: threading.Event, patience: Patience) -> None:
        self._url, self._topics = settings.database_url, settings.kafka.prediction_topics
        member_ms = round(patience.member * 1000)
        self._kafka = replace(from_settings(settings.kafka), session_timeout_ms=member_ms)
        self._kek: WrapsKeys = open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms)
        self._stop = stop
        self._patience = patience
        self._loop: Loop | None = None
        self._troubles = Troubles()
        self._broken, self._attempts = False, 0
        self._turned_at = self._topics_at = time.monotonic()
        self._months_of = _NEVER

    def reasons(self) -> Sequence[str]:
        """Why it is not ready: asked by the health server, from its thread."""
        if self._loop is None:
            return ["starting", *self._troubles.reasons(0)]
        assigned, found = self._loop.assigned, []
        for partition, fault in list(assigned.alarms.items()):
            found.append(f"{partition.topic}/{partition.partition}: {fault.reason}")
        for partition, wait in list(assigned.waiting.items()):
            if wait.reason is not None:
                found.append(f"{partition.topic}/{partition.partition}: {wait.reason}")
        stuck = time.monotonic() - self._turned_at
        if stuck > self._patience.unready:
            found.append(f"it has waited for one call for {stuck:.0f} s")
        return [*found, *self._troubles.reasons(self._patience.unready)]

    def run(self) -> None:
        """Capture until told to stop; the batch on its way is finished first."""
        loop = self._loop = self._started()
        if loop is None:
            return
        # Batches make hundreds of thousands of objects that never form cycles.
        gc.freeze()
        gc.set_threshold(_GC_OBJECTS, 50, 100)
        # The writer needs the interpreter only for moments, but often: it must not wait long for each.
        sys.setswitchinterval(_SWITCH_SECONDS)
        while not self._stop.is_set():
            self._turned_at = time.monotonic()
            self._turn(loop)
        loop.close()

    def _turn(self, loop: Loop) -> None:
        try:
            if self._broken:
                self._mend(loop)
            self._ensure_months(loop.conn)
            loop.step(_POLL_SECONDS)
        except psycopg.Error as fault:
            self._hold(loop, DATABASE, fault)
        except KAFKA_ERRORS as fault:
            self._hold(loop, whose(fault), fault)
        else:
            self._judge(loop)
        loop.tell()

    def _hold(self, loop: Loop, what: str, fault: BaseException) -> None:
        """Back off without end: nothing is lost meanwhile, since Kafka keeps what is not yet durable."""
        self._troubles.met(what, fault)
        self._broken, self._months_of = True, _NEVER
        with suppress(*KAFKA_ERRORS):
            loop.rest()
        self._stop.wait(_BACKOFF_SECONDS[min(self._attempts, len(_BACKOFF_SECONDS) - 1)])
        self._attempts += 1

    def _mend(self, loop: Loop) -> None:
        """Go back to what is durable; after a fault of the database on new connections."""
        if self._troubles.last(DATABASE) is None:
            loop.rewind()
        else:
            with ExitStack() as unless_whole:
                conn, writer = self._connect("capture", unless_whole), self._connect("writer", unless_whole)
                unless_whole.pop_all()
            loop.recover(conn, Writer(writer))
        self._broken = False

    def _judge(self, loop: Loop) -> None:
        """A turn passed: the database is well once a batch is durable, Kafka once a broker answers."""
        now, failed = time.monotonic(), self._troubles.last(DATABASE)
        if failed is None or loop.wrote_at > failed or (loop.is_idle and now - failed > _PROVEN_SECONDS):
            self._troubles.over(DATABASE)
            self._attempts = 0
        if now - self._turned_at > _SLOW_SECONDS:
            return  # it waited for something else, and asked no broker meanwhile
        if now - loop.heard_at > self._patience.silent:
            self._troubles.met(KAFKA, "no broker answers")
            return
        if loop.heard_at > (self._troubles.last(KAFKA) or 0) and self._troubles.over(KAFKA):
            loop.assigned.hurry()
        if now - self._topics_at > self._patience.look:
            self._topics_at = now
            self._look_at_topics(loop)

    def _look_at_topics(self, loop: Loop) -> None:
        """A topic that is gone takes its partitions with it, and nothing else would tell."""
        try:
            for topic in self._topics:
                loop.claims.usable_topic_id(topic)
        except KAFKA_ERRORS as fault:
            self._troubles.met(whose(fault), fault)
        else:
            self._troubles.over(TOPIC)

    def _started(self) -> Loop | None:
        """Wait for the database and the brokers; None if told to stop before they came."""
        while not self._stop.is_set():
            try:
                loop = self._make()
            except psycopg.OperationalError as fault:
                self._troubles.met(DATABASE, fault)
            except KAFKA_ERRORS as fault:
                self._troubles.met(whose(fault), fault)
            except LookupError as fault:
                self._troubles.met(INSTALLATION, fault)
            else:
                for what in (DATABASE, KAFKA, TOPIC, INSTALLATION):
                    self._troubles.over(what)
                return loop
            self._stop.wait(1.0)
        return None

    def _make(self) -> Loop:
        with ExitStack() as unless_whole:
            conn, writer = self._connect("capture", unless_whole), self._connect("writer", unless_whole)
            guards.check(conn)
            assembly = Assembly(conn, self._kek)
            admin = broker.admin(self._kafka, client_id="reviewsvc-capture-admin")
            unless_whole.callback(admin.close)
            reader = Reader(self._kafka, client_id="reviewsvc-capture-reader")
            unless_whole.callback(reader.close)
            owner = f"{socket.gethostname()}:{os.getpid()}"
            claims = Claims(assembly.rules.origin, owner, self._kek, admin=admin, reader=reader)
            for topic in self._topics:
                claims.usable_topic_id(topic)
            fetch = RawFetch(
                broker.consumer(self._kafka, client_id="reviewsvc-capture", group_id=self._kafka.group_id)
            )
            fetch.subscribe(self._topics)
            unless_whole.pop_all()
        lag = Lag(admin, look_seconds=self._patience.look, hanging_seconds=self._patience.hanging)
        return Loop(Parts(fetch, claims, assembly, Writer(writer), conn, Measures()), lag)

    def _connect(self, name: str, unless_whole: ExitStack) -> Connected:
        """Connect, and say in the server's list of connections which process it serves."""
        conn = connect(self._url, "capture", application_name=f"reviewsvc-{name}-{os.getpid()}")
        unless_whole.callback(conn.close)
        # A process frozen between two statements must not hold its locks for ever.
        conn.execute("SET idle_in_transaction_session_timeout = '30s'")
        # Nor must one wait for ever for what such a process holds: going back ends who holds a head.
        conn.execute("SET lock_timeout = '30s'")
        return conn

    def _ensure_months(self, conn: Connected) -> None:
        today = moment(time.time_ns() // 1000).date()
        if today != self._months_of:
            places.ensure_months(conn, today)
            self._months_of = today


def main(settings: Settings, patience: Patience | None = None) -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        capture = Capture(settings, stop, patience or Patience())
        with health.served(
            health.Health(ready=capture.reasons), host=settings.bind, port=settings.health_port
        ):
            capture.run()
    except (RoleError, KekError, RestoredError, health.PortTakenError) as fault:
        sys.exit(str(fault))
