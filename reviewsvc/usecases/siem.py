"""Sends what people and programs did, once it is sealed, to a SIEM: each event at least once, in order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

from reviewsvc import telemetry
from reviewsvc.db.hot import scan
from reviewsvc.db.hot import siem as places
from reviewsvc.db.hot.siem import Waiting
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.ocsf import Event, event

AT_ONCE: Final = 500
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=5)
_SENT = Counter("reviewsvc_siem_sent", "Events that were sent to a SIEM.", ["sink"])
_FAILED = Counter(
    "reviewsvc_siem_failures", "Batches that a SIEM did not take; they are sent again.", ["sink"]
)
_BEHIND = Gauge("reviewsvc_siem_behind", "Sealed activity entries that were not sent yet.", ["sink"])
_log = telemetry.logger("siem")


class Sink(Protocol):
    """Where events go: named, for its place is kept by that name. `send` raises OSError if it cannot."""

    name: str

    def send(self, events: Sequence[Event]) -> None: ...


class Stream:
    """Sends to each sink what it has not had; one that does not take it is left alone for a while."""

    def __init__(self, sessions: Sessions, sinks: Sequence[Sink]) -> None:
        self._sessions, self._sinks = sessions, sinks
        self._waits: dict[str, tuple[datetime, timedelta]] = {}

    def step(self, at: datetime) -> int:
        """Send a batch of each log to each sink whose turn it is; return how many events were sent."""
        return sum(self._serve(sink, at) for sink in self._sinks if self._is_due(sink, at))

    def _is_due(self, sink: Sink, at: datetime) -> bool:
        until, wait = self._waits.get(sink.name, (at, _FIRST_WAIT))
        # Longer than it was to wait it waits only if the clock went back.
        return not timedelta(0) < until - at <= wait

    def _serve(self, sink: Sink, at: datetime) -> int:
        with self._sessions.begin() as session:
            logs = places.waiting(Sessions.psycopg(session), sink.name)
        _BEHIND.labels(sink.name).set(sum(max(0, log.size - log.seq) for log in logs))
        sent = 0
        try:
            for log in logs:
                sent += self._send(sink, log)
        except OSError as error:
            self._put_off(sink, at, error)
            return sent
        if self._waits.pop(sink.name, None):
            _log.info("the SIEM takes events again", sink=sink.name)
        return sent

    def _send(self, sink: Sink, log: Waiting) -> int:
        """Send a batch of a log; the place moves behind it only afterwards, so that a crash repeats it."""
        seqs = range(log.seq, min(log.size, log.seq + AT_ONCE))
        if not seqs:
            return 0
        with self._sessions.begin() as session:
            found = scan.entries(Sessions.psycopg(session), log.log_id, seqs)
        sink.send([event(body) for _, body in found])
        with self._sessions.begin() as session:
            places.note(Sessions.psycopg(session), sink.name, log.log_id, seqs.stop)
        _SENT.labels(sink.name).inc(len(found))
        return len(found)

    def _put_off(self, sink: Sink, at: datetime, error: OSError) -> None:
        _FAILED.labels(sink.name).inc()
        before = self._waits.get(sink.name)
        wait = min(before[1] * 2, _LONGEST_WAIT) if before else _FIRST_WAIT
        self._waits[sink.name] = at + wait, wait
        if before is None:
            _log.warning("the SIEM does not take events", sink=sink.name, reason=str(error))
