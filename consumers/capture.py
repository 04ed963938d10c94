"""The capture process: takes predictions from Kafka into the log, exactly once, until it is told to stop."""

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from kafka.errors import KafkaError

from consumers import broker
from consumers.assembly import Assembly
from consumers.fetch import RawFetch
from consumers.loop import Loop, Parts
from consumers.measures import STOPPED, Measures
from consumers.partitions import Claims
from consumers.reader import Reader
from consumers.settings import KafkaSettings, from_settings
from consumers.writer import Writer
from reviewsvc import health, telemetry
from reviewsvc.config import Settings
from reviewsvc.crypto.kek import Kek, load_kek
from reviewsvc.db.hot import places
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.domain.moments import moment

_POLL_SECONDS = 0.5
_QUIET_SECONDS = 60.0
_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 5.0)
_GC_OBJECTS = 200_000
_log = telemetry.logger("capture")


class Capture:
    """The process's parts and its life: start when the service is there, go on after what breaks, stop."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._url, self._topics = settings.database_url, settings.kafka.prediction_topics
        self._kafka: KafkaSettings = from_settings(settings.kafka)
        self._kek: Kek = load_kek(Path(settings.kek_file))
        self._stop = stop
        self._loop: Loop | None = None
        self._fetch: RawFetch | None = None
        self._troubled_since: float | None = None
        self._months_of = moment(0).date()

    def reasons(self) -> Sequence[str]:
        """Why it is not ready: asked by the health server, from its thread."""
        if self._loop is None or self._fetch is None:
            return ["starting"]
        found = [f"{p.topic}/{p.partition}: {fault.reason}" for p, fault in list(self._loop.stopped.items())]
        now = time.monotonic()
        if now - self._fetch.answered_at > _QUIET_SECONDS:
            found.append(f"no broker has answered for {now - self._fetch.answered_at:.0f} s")
        if self._troubled_since is not None and now - self._troubled_since > _QUIET_SECONDS:
            found.append(f"the database has been away for {now - self._troubled_since:.0f} s")
        return found

    def run(self) -> None:
        """Capture until told to stop; the batch on its way is finished first."""
        loop = self._loop = self._started()
        if loop is None:
            return
        # Batches make hundreds of thousands of objects that never form cycles.
        gc.freeze()
        gc.set_threshold(_GC_OBJECTS, 50, 100)
        while not self._stop.is_set():
            self._turn(loop)
        loop.close()

    def _turn(self, loop: Loop) -> None:
        try:
            self._ensure_months(loop.conn)
            loop.step(_POLL_SECONDS)
        except (psycopg.OperationalError, psycopg.InterfaceError) as fault:
            self._reconnect(loop, fault)
        except KafkaError as fault:
            _log.warning("kafka is away", reason=str(fault))
            loop.rewind()
            self._stop.wait(1.0)
        STOPPED.set(len(loop.stopped))

    def _started(self) -> Loop | None:
        """Wait for the database and the brokers; None if told to stop before they came."""
        while not self._stop.is_set():
            try:
                return self._make()
            except (psycopg.OperationalError, KafkaError, LookupError) as fault:
                _log.warning("waiting to start", reason=str(fault).strip())
                self._stop.wait(1.0)
        return None

    def _make(self) -> Loop:
        conn = connect(self._url, "capture")
        assembly = Assembly(conn, self._kek)
        admin = broker.admin(self._kafka, client_id="reviewsvc-capture-admin")
        for topic in self._topics:
            broker.refuse_compacted(admin, topic)
        reader = Reader(self._kafka, client_id="reviewsvc-capture-reader")
        self._fetch = RawFetch(
            broker.consumer(self._kafka, client_id="reviewsvc-capture", group_id=self._kafka.group_id)
        )
        self._fetch.subscribe(self._topics)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        claims = Claims(assembly.rules.origin, owner, self._kek, admin=admin, reader=reader)
        writer = Writer(connect(self._url, "capture"))
        return Loop(Parts(self._fetch, claims, assembly, writer, conn, Measures()))

    def _ensure_months(self, conn: Connected) -> None:
        today = moment(time.time_ns() // 1000).date()
        if today != self._months_of:
            places.ensure_months(conn, today)
            self._months_of = today

    def _reconnect(self, loop: Loop, fault: BaseException) -> None:
        """Back off without end: nothing is lost meanwhile, since Kafka keeps what is not yet durable."""
        self._troubled_since = time.monotonic()
        _log.error("the database is away", reason=str(fault).strip())
        attempt = 0
        while not self._stop.is_set():
            loop.rest()
            self._stop.wait(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
            attempt += 1
            try:
                loop.recover(connect(self._url, "capture"), Writer(connect(self._url, "capture")))
            except (psycopg.OperationalError, psycopg.InterfaceError):
                continue
            _log.info("the database is back", seconds=round(time.monotonic() - self._troubled_since, 1))
            self._troubled_since = None
            return


def main(settings: Settings) -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    capture = Capture(settings, stop)
    with health.served(health.Health(ready=capture.reasons), host=settings.bind, port=settings.health_port):
        capture.run()
