"""Finds up to which seq a log has been sent: the place kept in Kafka, held against the floor beside it."""

import time
from typing import Any, Final, NamedTuple

from kafka import KafkaAdminClient, TopicPartition

from consumers import broker
from consumers.settings import KafkaSettings
from reviewsvc.db.hot.relays import Floor

NOTHING_SENT: Final = 0
_ASK_MS: Final = 10_000
_TAIL_SECONDS: Final = 60.0


class PlaceLostError(Exception):
    """Nobody can say any more up to where a log was sent; the text says what is missing."""


class Target(NamedTuple):
    """A log on its way to a topic: the origin, its name, the topic, and that topic's id now."""

    origin: str
    log: str
    topic: str
    topic_id: str

    @property
    def group(self) -> str:
        """The consumer group whose offset is the place."""
        return f"reviewsvc-relay-{self.origin}/{self.log}"

    @property
    def partition(self) -> TopicPartition:
        """The partition under which the place is kept: the first, whatever was sent to which."""
        return TopicPartition(self.topic, 0)


def check_topic(admin: KafkaAdminClient, target: Target) -> None:
    """Raise PlaceLostError if the topic is another one by now: its readers never got what was sent before."""
    if str(broker.topic_id(admin, target.topic)) != target.topic_id:
        raise PlaceLostError(
            f"the topic {target.topic} was deleted and made again while {target.log} was being sent; its "
            f"readers must know first, then `reviewsvc topics accept {target.topic}`"
        )


def find(settings: KafkaSettings, admin: KafkaAdminClient, target: Target, floor: Floor | None) -> int | None:
    """Return the seq up to which the log was sent; call it after `init_transactions`, which ends what hung.

    None if nothing was ever noted, here or there: then nothing was sent.
    Where the place is missing, below the floor, or the topic is another one, the topic's own end is read:
    never is it "from the start". Raises PlaceLostError if that tells nothing.
    """
    kept = _committed(settings, target)
    if floor is None:
        return kept
    same = floor.topic_id == target.topic_id
    if same and kept is not None and kept >= floor.seq:
        return kept
    found = _last_sent(settings, admin, target, floor.end_offsets if same else {})
    if found is None and not same:
        raise PlaceLostError(
            f"the topic {target.topic} was deleted and made again since entry {floor.seq} of {target.log} "
            f"was sent; its readers must know first, then `reviewsvc topics accept {target.topic}`. See "
            "docs/runbooks/relay-stopped.md."
        )
    return max(floor.seq if same else NOTHING_SENT, found or NOTHING_SENT)


def _committed(settings: KafkaSettings, target: Target) -> int | None:
    """The place as Kafka keeps it: an unfinished transaction's is waited for, not seen."""
    consumer = broker.consumer(settings, client_id="reviewsvc-relay-place", group_id=target.group)
    try:
        found = consumer.committed(target.partition, metadata=True, timeout_ms=_ASK_MS)
    finally:
        consumer.close()
    if found is None or found.offset < 0 or found.metadata not in ("", target.topic_id):
        return None
    return int(found.offset)


def _last_sent(
    settings: KafkaSettings, admin: KafkaAdminClient, target: Target, since: dict[int, int]
) -> int | None:
    """The greatest seq of this log in the topic's committed records, from where it ended at the floor."""
    all_of_it = [
        TopicPartition(target.topic, number) for number in range(broker.partitions(admin, target.topic))
    ]
    begins = broker.beginning_offsets(admin, all_of_it)
    ends = broker.end_offsets(admin, all_of_it, committed=True)
    places = {one: max(begins[one], since.get(one.partition, 0)) for one in all_of_it}
    left = {one: ends[one] for one in all_of_it if places[one] < ends[one]}
    consumer = broker.consumer(settings, client_id="reviewsvc-relay-tail")
    try:
        consumer.assign(list(left))
        for one in left:
            consumer.seek(one, places[one])
        return _greatest(consumer, target, left)
    finally:
        consumer.close()


def _greatest(consumer: Any, target: Target, left: dict[TopicPartition, int]) -> int | None:  # noqa: ANN401 - kafka-python ships no types
    greatest: int | None = None
    log = target.log.encode()
    deadline = time.monotonic() + _TAIL_SECONDS
    while left:
        if time.monotonic() > deadline:
            raise PlaceLostError(f"the end of the topic {target.topic} could not be read in time")
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                headers = dict(record.headers)
                if headers.get("log") == log:
                    greatest = max(greatest or 0, int(headers["seq"]))
        left = {one: end for one, end in left.items() if consumer.position(one) < end}
    return greatest
