"""How far behind each partition is, and whether an open transaction holds back what is to be read."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from prometheus_client import Gauge

from consumers import broker
from consumers.held import Held
from reviewsvc import telemetry

LOOK_SECONDS = 15.0
HANGING_SECONDS = 60.0
_SILENT_SECONDS = 5.0
_PLACE = ["topic", "partition"]
_LAG = Gauge("reviewsvc_capture_lag_offsets", "From the next offset to be captured to Kafka's end.", _PLACE)
_HELD_BACK = Gauge(
    "reviewsvc_capture_held_back_offsets",
    "Behind the last stable offset: an open transaction's doing.",
    _PLACE,
)
_log = telemetry.logger("capture")


@dataclass(slots=True)
class _HeldBack:
    stable: int
    since: float
    told: bool = False


class Lag:
    """Asks the brokers each few seconds, in two requests for all partitions."""

    def __init__(
        self,
        admin: KafkaAdminClient,
        *,
        look_seconds: float = LOOK_SECONDS,
        hanging_seconds: float = HANGING_SECONDS,
    ) -> None:
        self._admin = admin
        self._look_seconds, self._hanging_seconds = look_seconds, hanging_seconds
        self._looked = 0.0
        self._known: set[TopicPartition] = set()
        self._back: dict[TopicPartition, _HeldBack] = {}
        self.answered_at = time.monotonic()

    def look(self, held: Mapping[TopicPartition, Held], fetched_at: float) -> set[TopicPartition]:
        """Measure if it is time to; gives the partitions that are captured to Kafka's end.

        `fetched_at` tells when a fetch was answered last: brokers that do not answer are not asked in vain.
        """
        now = time.monotonic()
        due = now - self._looked >= (self._look_seconds if held else _SILENT_SECONDS)
        if not due or (held and now - fetched_at > _SILENT_SECONDS):
            return set()
        self._looked = now
        self._forget(self._known - held.keys())
        try:
            return self._measure(held)
        except KafkaError as fault:
            _log.warning("lag unknown", reason=str(fault))
            return set()

    def _measure(self, held: Mapping[TopicPartition, Held]) -> set[TopicPartition]:
        if not held:
            # Nothing is fetched: only this tells whether there is a broker.
            self._admin.describe_cluster()
            self.answered_at = time.monotonic()
            return set()
        # Asked in this order, the end is never before the stable end.
        stable = broker.end_offsets(self._admin, held, committed=True)
        ends = broker.end_offsets(self._admin, stable, committed=False)
        self.answered_at = time.monotonic()
        self._known = set(ends)
        for partition, end in ends.items():
            place = partition.topic, str(partition.partition)
            _LAG.labels(*place).set(max(0, end - held[partition].next_offset))
            _HELD_BACK.labels(*place).set(end - stable[partition])
            self._look_for_hanging(partition, stable[partition], end)
        return {partition for partition, end in ends.items() if held[partition].next_offset >= end}

    def _look_for_hanging(self, partition: TopicPartition, stable: int, end: int) -> None:
        """A transaction that its producer neither commits nor aborts hides all that comes after it."""
        back = self._back.get(partition)
        if stable >= end or back is None or back.stable != stable:
            self._back[partition] = _HeldBack(stable, time.monotonic())
            if back is not None and back.told:
                _log.info("no longer held back", topic=partition.topic, partition=partition.partition)
            return
        seconds = time.monotonic() - back.since
        if seconds >= self._hanging_seconds:
            back.told = True
            _log.warning(
                "a transaction stays open and holds back what came after it",
                topic=partition.topic,
                partition=partition.partition,
                stable_offset=stable,
                end_offset=end,
                seconds=round(seconds),
            )

    def _forget(self, gone: set[TopicPartition]) -> None:
        for partition in gone:
            for gauge in (_LAG, _HELD_BACK):
                gauge.remove(partition.topic, str(partition.partition))
            self._back.pop(partition, None)
        self._known -= gone
