"""Reads single records again that were stored before, on a connection of its own beside the consumer's."""

import time
from typing import NamedTuple

from kafka import TopicPartition

from consumers import broker
from consumers.decoder import Batch, Fault
from consumers.fetch import Polled, RawFetch
from consumers.records import Record
from consumers.settings import KafkaSettings

_PIECE_BYTES = 64 * 1024


class RereadError(Exception):
    """A record could not be read again in time; the text says which."""


class DamagedError(Exception):
    """What lies at an offset now cannot be read; the text says why."""


class Reread(NamedTuple):
    """What lies at an offset now: its record, if it is one, and whether the broker still has it."""

    record: Record | None
    leader_epoch: int
    still_there: bool


class Reader:
    """Reads one record at a time; all calls come from one thread."""

    def __init__(self, settings: KafkaSettings, *, client_id: str) -> None:
        self._fetch = RawFetch(
            broker.consumer(
                settings, client_id=client_id, fetch_bytes=_PIECE_BYTES, partition_bytes=_PIECE_BYTES
            )
        )

    def record_at(self, partition: TopicPartition, offset: int, timeout_seconds: float) -> Reread:
        """Read what the broker has at this offset.

        A batch whose records cannot be decoded is given as one record, its bytes the value. RereadError if
        the broker does not answer in time, DamagedError if what it answers fails its checksum.
        """
        self._fetch.assign([partition])
        self._fetch.start(partition, offset)
        deadline = time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            found = _found(self._fetch.poll(1, min(left, 1.0)), partition, offset)
            if found is not None:
                self._fetch.stop(partition)
                return found
        raise RereadError(
            f"Offset {offset} of {partition.topic}/{partition.partition} was not read again in "
            f"{timeout_seconds:g} s: look whether the broker is up and its partition has a leader."
        )

    def close(self) -> None:
        """Close the connection."""
        self._fetch.close()


def _found(polled: Polled, partition: TopicPartition, offset: int) -> Reread | None:
    batches = [each for part in polled.parts for each in part.batches]
    covering = next((each for each in batches if each.base_offset <= offset <= each.last_offset), None)
    if isinstance(covering, Batch):
        record = next((each for each in covering.records if each[0] == offset), None)
        return Reread(record, covering.leader_epoch, still_there=True)
    if isinstance(covering, Fault) and covering.crc_ok:
        return Reread((offset, 0, None, covering.raw, ()), covering.leader_epoch, still_there=True)
    if isinstance(covering, Fault):
        raise DamagedError(f"the batch at offset {offset} of {partition.topic} is damaged: {covering.reason}")
    if batches or partition in polled.stopped:
        return Reread(None, -1, still_there=False)
    return None
