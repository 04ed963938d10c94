"""Polls Kafka for undecoded record sets and decodes them in the caller's thread: faults come as values."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    IllegalStateError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from consumers.decoder import Batch, Fault
from consumers.rebalance import Changes, Marks
from consumers.undecoded import Chunk, Undecoded
from consumers.watchdog import Watchdog

_HUNG_SECONDS = 60.0


class Part(NamedTuple):
    """What one poll brought of one partition; `next_offset` is the end of what the decoder walked."""

    partition: TopicPartition
    batches: list[Batch | Fault]
    next_offset: int


class Stopped(NamedTuple):
    """Why a poll stopped a partition; `lost` if the broker does not have what was due, else it may mend."""

    reason: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Polled:
    """The parts of one poll, and the partitions that it stopped, each with the reason."""

    parts: list[Part] = field(default_factory=list)
    stopped: dict[TopicPartition, Stopped] = field(default_factory=dict)


class RawFetch:
    """A consumer that gives batches: polls, decodes, and stops partitions instead of raising or spinning.

    Only partitions that were started are given. All calls come from one thread.
    """

    def __init__(self, consumer: KafkaConsumer, *, hung_seconds: float = _HUNG_SECONDS) -> None:
        """Take over a consumer made by `broker.consumer`; a poll that hangs for so long ends the process."""
        self._consumer = consumer
        self._marks = Marks(consumer)
        self._watchdog = Watchdog(hung_seconds)
        self._budget = 0
        self._running: set[TopicPartition] = set()
        self.answered_at = time.monotonic()
        self._replace_decoder()

    def _replace_decoder(self) -> None:
        fetcher = self._consumer._fetcher  # noqa: SLF001 - kafka-python has no option for its decoder
        theirs = fetcher._handle_fetch_response  # noqa: SLF001 - nor for noting that a broker answered

        def answered(*args: object) -> None:
            self.answered_at = time.monotonic()
            theirs(*args)

        def undecoded(*args: Any, **named: Any) -> Undecoded:  # noqa: ANN401 - passed through
            return Undecoded(self._spend, *args, **named)

        fetcher._handle_fetch_response = answered  # noqa: SLF001 - as above
        fetcher.PartitionRecords = undecoded

    def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group for these topics; partitions arrive through `changes`, paused."""
        self._consumer.subscribe(topics=list(topics), listener=self._marks)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions without a group; they too must be started."""
        self._running.clear()
        self._consumer.assign(list(partitions))
        for partition in self._consumer.assignment():
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)

    def changes(self) -> Changes:
        """Give what rebalances changed since the last call; what was lost is no longer given by `poll`."""
        changes = self._marks.take()
        self._running -= changes.lost | changes.gained
        return changes

    def has(self, partition: TopicPartition) -> bool:
        """Say whether the group gives this partition to us, as far as we know."""
        return partition in self._consumer.assignment()

    def start(self, partition: TopicPartition, offset: int) -> bool:
        """Fetch from this offset on; False if the partition has gone to another member meanwhile."""
        try:
            self._consumer.seek(partition, offset)
            self._consumer.resume(partition)
        except (ValueError, KeyError, IllegalStateError):
            return False
        self._running.add(partition)
        return True

    def stop(self, partition: TopicPartition) -> None:
        """Fetch and give nothing of this partition until it is started again."""
        self._running.discard(partition)
        try:
            self._consumer.pause(partition)
        except KeyError:
            return

    def poll(self, max_records: int, timeout_seconds: float) -> Polled:
        """Wait for batches of started partitions, up to about so many records (a batch is never cut).

        A batch that cannot be trusted stops its partition at the offset before it, and is given as a Fault;
        so does an offset that the broker does not have. Raises KafkaError for what concerns all partitions.
        """
        self._budget = max_records
        polled = Polled()
        timeout_ms = int(timeout_seconds * 1000)
        while self._budget > 0:
            chunks = self._poll_once(timeout_ms, polled)
            if not chunks:
                break
            for chunk in chunks:
                self._add(chunk, polled)
            timeout_ms = 0
            # A join that is begun now and ends while the caller commits would be thrown away and begun again.
            if self._consumer._coordinator.need_rejoin():  # noqa: SLF001 - told nowhere else
                break
        return polled

    def _spend(self, records: int) -> bool:
        """Count records against the running poll's budget; True when it is used up."""
        self._budget -= max(records, 1)
        return self._budget <= 0

    def lag_is_known_at(self, offsets: dict[TopicPartition, int]) -> None:
        """Tell Kafka the group's offsets, for lag tools only; nothing waits for it and nothing reads it."""
        self._consumer.commit_async(
            {key: OffsetAndMetadata(offset, "", -1) for key, offset in offsets.items()}
        )

    def stable_end(self, partition: TopicPartition) -> int | None:
        """Give the last fetch's end of what read_committed readers may see, if there was one."""
        try:
            end: int | None = self._consumer.highwater(partition)
        except (IllegalStateError, KeyError):
            return None
        return end

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Leave the group and close the connections."""
        with self._watchdog:
            self._consumer.close(autocommit=False, timeout_ms=int(timeout_seconds * 1000))

    def _poll_once(self, timeout_ms: int, polled: Polled) -> list[Chunk]:
        try:
            with self._watchdog:
                found = self._consumer.poll(timeout_ms=timeout_ms, max_records=1)
        except NoOffsetForPartitionError:
            return []  # assigned on the I/O thread a moment ago; its mark is there at the next call
        except OffsetOutOfRangeError as error:
            return self._stop_all(error.args[0], "the broker does not have offset {}", polled)
        except LogTruncationError as error:
            return self._stop_all(
                error.divergent_offsets, "the topic was truncated, it now ends at {}", polled
            )
        return [chunk for chunks in found.values() for chunk in chunks]

    def _stop_all(self, where: dict[TopicPartition, Any], reason: str, polled: Polled) -> list[Chunk]:
        for partition, offset in where.items():
            self.stop(partition)
            polled.stopped[partition] = Stopped(reason.format(getattr(offset, "offset", offset)), lost=True)
        return []

    def _add(self, chunk: Chunk, polled: Polled) -> None:
        partition = chunk.partition
        if partition not in self._running:
            return
        batches = chunk.decoder.decode(chunk.raw, chunk.from_offset)
        next_offset = chunk.next_offset
        if batches and isinstance(fault := batches[-1], Fault) and not fault.crc_ok:
            next_offset = batches[-2].last_offset + 1 if len(batches) > 1 else chunk.from_offset
            self.stop(partition)
            reason = f"the batch at offset {fault.base_offset} cannot be read: {fault.reason}"
            polled.stopped[partition] = Stopped(reason, lost=False)
        # Answers that were on their way together come in turns, and continuity is judged once a partition.
        for place, before in enumerate(polled.parts):
            if before.partition == partition:
                polled.parts[place] = Part(partition, before.batches + batches, next_offset)
                return
        polled.parts.append(Part(partition, batches, next_offset))
