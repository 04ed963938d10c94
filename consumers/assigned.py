"""The partitions that the group gave this process: waiting to be claimed, held, or stopped by an alarm."""

import time
from dataclasses import dataclass, field

from kafka import TopicPartition

from consumers import alarms, gaps
from consumers.assembly import Assembly
from consumers.fetch import RawFetch
from consumers.held import LASTING, AlarmError, Held
from consumers.measures import Measures
from consumers.partitions import Claims
from consumers.rebalance import Changes
from consumers.trouble import KAFKA_ERRORS
from consumers.writer import Writer
from reviewsvc import telemetry
from reviewsvc.db.hot.batches import FencedError, StaleRulesError
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.heads import Head, HeadError

_SOON_SECONDS = 2.0
_RETRY_SECONDS = 30.0
_log = telemetry.logger("capture")


@dataclass(slots=True)
class Parts:
    """What the loop is made of; the connections are replaced when they break."""

    fetch: RawFetch
    claims: Claims
    assembly: Assembly
    writer: Writer
    conn: Connected
    measures: Measures


@dataclass(slots=True)
class _Wait:
    due: float = field(default_factory=time.monotonic)
    reason: str | None = None
    tries: int = 0


class Assigned:
    """What is done with each partition of this process.

    Heads are claimed and moved by the writer's connection alone, while no batch is on its way: it is the one
    that a later owner must be able to end.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.held: dict[TopicPartition, Held] = {}
        self.alarms: dict[TopicPartition, AlarmError] = {}
        self.waiting: dict[TopicPartition, _Wait] = {}
        self._retry_at: dict[TopicPartition, float] = {}

    @property
    def _conn(self) -> Connected:
        return self._parts.writer.conn

    def changed(self, changes: Changes) -> None:
        """Take up what a rebalance changed; it is told only once, so nothing in here can fail."""
        for partition in changes.lost:
            for kept in (self.held, self.alarms, self.waiting):
                kept.pop(partition, None)
        for partition in changes.gained:
            self.held.pop(partition, None)
            self.waiting[partition] = _Wait()

    def is_due(self) -> bool:
        """Say whether a partition waits to be claimed, and its time has come."""
        now = time.monotonic()
        return any(wait.due <= now for wait in self.waiting.values())

    def hurry(self) -> None:
        """Try at once what waits: the brokers are back."""
        for partition in self.waiting:
            self.waiting[partition] = _Wait()

    def begin(self) -> None:
        """Claim the partitions whose time has come; one that cannot be had now is tried again soon."""
        now = time.monotonic()
        for partition in sorted(each for each, wait in self.waiting.items() if wait.due <= now):
            if not self._parts.fetch.has(partition):
                # Claiming it now would only fence its new owner; should it come back, we hear of that.
                del self.waiting[partition]
                continue
            try:
                held, alarm = self._parts.claims.claim(self._conn, partition)
            except AlarmError as fault:
                del self.waiting[partition]
                self.stop({partition: fault})
            except HeadError as fault:
                self._put_off(partition, str(fault))
            except KAFKA_ERRORS as fault:
                # The others would wait as long for the same brokers, and nobody would poll meanwhile.
                self._put_off(partition, str(fault))
                return
            else:
                del self.waiting[partition]
                self._start(partition, held, alarm)

    def stop(self, faults: dict[TopicPartition, AlarmError]) -> None:
        """Stop partitions and raise their alarms."""
        for partition, fault in faults.items():
            before = self.alarms.get(partition)
            self.alarms[partition] = fault
            self._retry_at[partition] = time.monotonic() + _RETRY_SECONDS
            self.leave(partition)
            alarms.report(self._conn, partition, fault, before)

    def leave(self, partition: TopicPartition) -> None:
        """Capture it no more."""
        self._parts.fetch.stop(partition)
        self.held.pop(partition, None)

    def rest(self) -> None:
        """Have nothing fetched until the next `go_back`."""
        for partition in self.held:
            self._parts.fetch.stop(partition)

    def go_back(self, *, reclaim: bool = False) -> None:
        """Drop what was predicted: read the heads, leave what others hold now, seek to what is durable.

        With `reclaim` the heads are claimed again: when a connection breaks, its transaction may live on.
        """
        claims = self._parts.claims
        for partition, held in list(self.held.items()):
            head = (
                claims.renewed(self._conn, held) if reclaim else claims.current(self._conn, partition, held)
            )
            if head is None:
                self._fenced(partition, held)
            else:
                self._resume(partition, held, head)

    def _resume(self, partition: TopicPartition, held: Held, head: Head) -> None:
        try:
            end = self._parts.claims.entry_end(self._conn, head)
        except AlarmError as fault:
            self.stop({partition: fault})
            return
        self.held[partition] = Held(head, head.next_offset, end, held.leader_epoch)
        if not self._parts.fetch.start(partition, head.next_offset):
            self.leave(partition)

    def _fenced(self, partition: TopicPartition, held: Held) -> None:
        """Another process claimed it. If the group took it from us we shall hear so; if not, claim it again.

        Two may take one partition for theirs for a moment, when one was slow to hear of a rebalance: without
        a second try of the rightful one it would be captured by nobody.
        """
        _log.warning("fenced", log=held.head.name, epoch=held.head.epoch)
        self.leave(partition)
        self._put_off(partition, None)

    def mended(self, partition: TopicPartition) -> None:
        """A partition that had stopped goes on, so its alarm ends."""
        fault = self.alarms.get(partition)
        if fault is not None:
            alarms.end(self._conn, fault)
            del self.alarms[partition]

    def wants_attention(self) -> bool:
        """Say whether a stopped partition may go on: by a consent, or since it may have mended."""
        return any(partition not in self.held and partition not in self.waiting for partition in self.alarms)

    def look_after(self) -> None:
        """Follow consents; try again what may have mended. No batch is on its way."""
        now = time.monotonic()
        for partition, fault in list(self.alarms.items()):
            if partition in self.held or partition in self.waiting or self._accept(partition, fault):
                continue
            if fault.kind not in LASTING and now > self._retry_at[partition]:
                self.waiting[partition] = _Wait()

    def _accept(self, partition: TopicPartition, fault: AlarmError) -> bool:
        parts = self._parts
        try:
            held = gaps.accepted(self._conn, parts.claims, parts.assembly.rules, partition, fault)
        except StaleRulesError:
            parts.assembly.reload()
            return False
        except FencedError:
            self.waiting[partition] = _Wait()
            return True
        if held is not None:
            del self.alarms[partition]
            self._start(partition, held, None)
        return held is not None

    def _start(self, partition: TopicPartition, held: Held, alarm: AlarmError | None) -> None:
        if not self._parts.fetch.start(partition, held.next_offset):
            return
        self.held[partition] = held
        if alarm is not None:
            self.alarms[partition] = alarm
        _log.info("partition claimed", log=held.head.name, next_offset=held.next_offset)

    def _put_off(self, partition: TopicPartition, reason: str | None) -> None:
        """Try again, each time a little later: one without a leader must not keep the others waiting."""
        before = self.waiting.get(partition) or _Wait()
        if reason not in {None, before.reason}:
            place = {"topic": partition.topic, "partition": partition.partition}
            _log.warning("partition not ready", reason=reason, **place)
        seconds = min(_RETRY_SECONDS, _SOON_SECONDS * 2**before.tries)
        self.waiting[partition] = _Wait(time.monotonic() + seconds, reason, before.tries + 1)
