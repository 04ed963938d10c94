"""What the group's rebalances gave and took, noted on the client's I/O thread for the main thread."""

from collections.abc import Iterable
from typing import NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition


class Changes(NamedTuple):
    """What rebalances took away and gave since last asked; a partition may be in both."""

    lost: set[TopicPartition]
    gained: set[TopicPartition]


class Marks(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python ships no types
    """Notes rebalances for the main thread; it runs on the client's I/O thread, so it never blocks."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._seen: list[tuple[bool, frozenset[TopicPartition]]] = []

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Keep the new partitions from being fetched until the main thread has claimed their heads."""
        partitions = frozenset(assigned)
        # Noted first: should anything below raise, the partition is assigned all the same.
        self._seen.append((True, partitions))
        for partition in partitions:
            self._consumer.pause(partition)
            # Any position will do: without one the client would ask Kafka for the group's, which is not ours.
            self._consumer.seek(partition, 0)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._seen.append((False, frozenset(revoked)))

    def take(self) -> Changes:
        """Give the net changes, in the order in which they happened, and forget them."""
        # Appending and popping are atomic under the interpreter's lock: the I/O thread may append meanwhile.
        changes = Changes(set(), set())
        while self._seen:
            gained, partitions = self._seen.pop(0)
            if gained:
                changes.gained.update(partitions)
            else:
                changes.lost.update(partitions)
                changes.gained.difference_update(partitions)
        return changes
