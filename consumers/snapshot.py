"""Reads a topic as it is now, from its beginning to its committed end."""

import time
from typing import Any, NamedTuple

from kafka import TopicPartition

from consumers import broker
from consumers.settings import KafkaSettings


class SnapshotError(Exception):
    """A topic could not be read to its end in time."""


class Message(NamedTuple):
    """One record of a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def read_all(settings: KafkaSettings, topic: str, *, timeout_seconds: float = 30) -> list[Message]:
    """Return every record that a reader with read_committed sees, in order within each partition.

    Raises SnapshotError if the end is not reached in time, TopicError if there is no such topic.
    """
    return _read_last(settings, topic, None, timeout_seconds)


def read_last(
    settings: KafkaSettings, topic: str, offsets: int, *, timeout_seconds: float = 30
) -> list[Message]:
    """The same of the last so many offsets of each partition; some hold ends of transactions, no records."""
    return _read_last(settings, topic, offsets, timeout_seconds)


def _read_last(
    settings: KafkaSettings, topic: str, offsets: int | None, timeout_seconds: float
) -> list[Message]:
    begins, ends = _bounds(settings, topic)
    client = broker.consumer(settings, client_id="reviewsvc-snapshot")
    try:
        client.assign(list(ends))
        for each, begin in begins.items():
            client.seek(each, begin if offsets is None else max(begin, ends[each] - offsets))
        return _read(client, ends, time.monotonic() + timeout_seconds)
    finally:
        client.close()


Offsets = dict[TopicPartition, int]


def _bounds(settings: KafkaSettings, topic: str) -> tuple[Offsets, Offsets]:
    client = broker.admin(settings, client_id="reviewsvc-snapshot")
    try:
        wanted = [TopicPartition(topic, each) for each in range(broker.partitions(client, topic))]
        return broker.beginning_offsets(client, wanted), broker.end_offsets(client, wanted, committed=True)
    finally:
        client.close()


def _read(client: Any, ends: dict[TopicPartition, int], deadline: float) -> list[Message]:  # noqa: ANN401 - kafka-python ships no types
    found: list[Message] = []
    while any(client.position(each) < end for each, end in ends.items()):
        if time.monotonic() > deadline:
            topic = next(iter(ends)).topic
            raise SnapshotError(
                f"Topic {topic} was not read to its end in time: look whether the broker is up."
            )
        for partition, records in client.poll(timeout_ms=500).items():
            found += [Message(partition.partition, each.offset, each.key, each.value) for each in records]
    return found
