"""Sends one log to its topic, exactly once for readers of committed records."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from kafka import KafkaAdminClient
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition

from consumers import broker, relay_place
from consumers.relay_place import Target
from consumers.settings import KafkaSettings
from reviewsvc.db.hot import relays
from reviewsvc.db.hot.guards import RestoredError
from reviewsvc.db.hot.relays import Floor, RelayedLog
from reviewsvc.usecases import relaying
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.relaying import Message

_RECOMMIT_SECONDS: Final = 86_400.0
_MOST_UNNOTED: Final = 10_000
_CLOSE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Means:
    """What every log is sent with."""

    kafka: KafkaSettings
    admin: KafkaAdminClient
    connection: psycopg.Connection[Any]
    keyring: Keyring
    origin: str


class LogRelay:
    """One log under way: its producer, and up to which seq it has been looked at and its place kept."""

    def __init__(self, means: Means, log: RelayedLog, topic: str) -> None:
        """Fence whoever sent this log before, then find the place: in this order, or it could still move.

        Raises KafkaError, TopicError, PlaceLostError.
        """
        self._means, self._log_id = means, log.log_id
        self._producer = broker.producer(
            means.kafka,
            client_id="reviewsvc-relay",
            transactional_id=f"reviewsvc-{means.origin}/{log.name}",
        )
        try:
            self._producer.init_transactions()
            topic_id = str(broker.topic_id(means.admin, topic))
            self._target = Target(means.origin, log.name, topic, topic_id)
            floor = relays.floor(means.connection, log.log_id, topic)
            if (
                floor
                and floor.topic_id != topic_id
                and relaying.is_accepted(means.connection, topic, topic_id)
            ):
                floor = None
            found = relay_place.find(means.kafka, means.admin, self._target, floor)
            self.seen = relay_place.NOTHING_SENT if found is None else found
            _check_held(log, self.seen)
            # What a log's readers must know first goes with its first place: once, like all that follows.
            self._commit(self.seen, relaying.before(means.connection, log) if found is None else ())
        except BaseException:
            self.close()
            raise

    def step(self, log: RelayedLog) -> int | None:
        """Send what leaves of the next part of the log; return how many records, None if nothing was new."""
        if log.size - 1 <= self.seen:
            if time.monotonic() - self._committed_at > _RECOMMIT_SECONDS:
                self._commit(self.seen, ())
            return None
        leaving = relaying.read(self._means.connection, self._means.keyring, log, self.seen)
        if leaving.messages:
            relay_place.check_topic(self._means.admin, self._target)
        if leaving.messages or leaving.up_to - self._kept >= _MOST_UNNOTED:
            self._commit(leaving.up_to, leaving.messages)
        self.seen = leaving.up_to
        return len(leaving.messages)

    def close(self) -> None:
        """Let the producer go; what it had begun is aborted by whoever comes next."""
        self._producer.close(timeout=_CLOSE_SECONDS)

    def _commit(self, up_to: int, messages: Sequence[Message]) -> None:
        """Records and place become visible together. A crash before the commit leaves neither, after it both.

        The floor is noted afterwards: it may lag behind the place, never run ahead of it.
        """
        target, producer = self._target, self._producer
        producer.begin_transaction()
        for one in messages:
            producer.send(target.topic, one.value, key=one.key, headers=one.headers)
        place = {target.partition: OffsetAndMetadata(up_to, target.topic_id, -1)}
        producer.send_offsets_to_transaction(place, ConsumerGroupMetadata(target.group))
        producer.commit_transaction()
        self._kept, self._committed_at = up_to, time.monotonic()
        self._note_floor(up_to)

    def _note_floor(self, up_to: int) -> None:
        target, admin = self._target, self._means.admin
        count = broker.partitions(admin, target.topic)
        all_of_it = [TopicPartition(target.topic, number) for number in range(count)]
        ends = broker.end_offsets(admin, all_of_it, committed=True)
        floor = Floor(up_to, target.topic_id, {one.partition: offset for one, offset in ends.items()})
        relays.note(self._means.connection, self._log_id, target.topic, floor, datetime.now(UTC))


def _check_held(log: RelayedLog, seen: int) -> None:
    """What was sent must be here: else the database was set back, and readers know more than it does."""
    if log.held is not None and seen >= max(log.held, 1):
        raise RestoredError(
            f"entry {seen} of {log.name} was sent, and the database holds {log.held} entries: it was "
            "restored; run `reviewsvc restore adopt`"
        )
