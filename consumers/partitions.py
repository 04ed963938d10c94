"""The partitions that this process captures: claimed, held against what is stored, stopped with an alarm."""

import time
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from msgspec.json import decode

from consumers import broker
from consumers.reader import Reader, Reread, RereadError
from reviewsvc import telemetry
from reviewsvc.crypto.envelope import Cipher, EnvelopeError
from reviewsvc.crypto.kek import Kek
from reviewsvc.db.hot import heads, places
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.heads import Head
from reviewsvc.domain import facts
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.frames import Record, unframe

_log = telemetry.logger("capture")
_REREAD_SECONDS = 20.0
RECREATED = "the topic was deleted and created again"


class AlarmError(RuntimeError):
    """A partition must not be captured on: what Kafka holds does not go on from what is stored."""

    def __init__(self, reason: str, held: "Held", **detail: Any) -> None:  # noqa: ANN401 - kept as JSON
        super().__init__(reason)
        self.reason, self.held, self.detail = reason, held, detail


@dataclass(slots=True)
class Held:
    """A claimed partition: the head that the next batch follows, and where reading goes on.

    `next_offset` may be ahead of the head's, by markers alone; `entry_end` is behind the last entry.
    """

    head: Head
    next_offset: int
    entry_end: int
    leader_epoch: int = -1


class Claims:
    """Claims partitions' heads and checks that Kafka still holds what was stored last."""

    def __init__(self, origin: str, owner: str, kek: Kek, *, admin: KafkaAdminClient, reader: Reader) -> None:
        self._origin, self._owner, self._kek = origin, owner, kek
        self._admin, self._reader = admin, reader

    def topic_id(self, topic: str) -> str:
        """The topic's id as the brokers know it now."""
        return str(broker.topic_id(self._admin, topic))

    def place_behind(self, partition: TopicPartition, held: Held, alarm: places.Alarm) -> tuple[str, int]:
        """Where to go on behind a gap (topic id, offset): what the operator named, else what Kafka has."""
        topic_id = self.topic_id(partition.topic)
        if alarm.consent and alarm.consent.get("to_offset") is not None:
            return topic_id, int(alarm.consent["to_offset"])
        begin = broker.beginning_offsets(self._admin, [partition])[partition]
        if topic_id != held.head.topic_id:
            return topic_id, begin
        end = broker.end_offsets(self._admin, [partition], committed=False)[partition]
        wanted = int(alarm.detail.get("jumped_to", alarm.detail.get("behind", held.next_offset)))
        return topic_id, min(max(wanted, begin), end)

    def claim(self, conn: Connected, partition: TopicPartition) -> Held:
        """Become the partition's writer; a partition met for the first time gets its log.

        Raises AlarmError, with the partition claimed, if an operator must look.
        """
        topic, number = partition.topic, partition.partition
        topic_id = self.topic_id(topic)
        known = heads.known(conn, topic, [number]).get(number)
        if known is None:
            known = self._open(conn, partition, topic_id)
        head = heads.claim(conn, [known.log_id], self._owner)[known.log_id]
        held = Held(head, head.next_offset, self.entry_end(conn, head))
        if head.topic_id != topic_id:
            raise recreated(held, topic_id)
        self.compare(conn, partition, held)
        return held

    def _open(self, conn: Connected, partition: TopicPartition, topic_id: str) -> Head:
        first = broker.beginning_offsets(self._admin, [partition])[partition]
        opening = heads.Opening(partition.topic, partition.partition, topic_id, first)
        heads.open_log(conn, self._origin, opening, time.time_ns() // 1000)
        return heads.known(conn, partition.topic, [partition.partition])[partition.partition]

    def entry_end(self, conn: Connected, head: Head) -> int:
        """The offset behind what the log's last entry covers."""
        entry = parse(places.stored_last(conn, head.log_id, head.size).body)
        match entry.kind:
            case "opened":
                return decode(entry.facts, type=facts.Opened).first_offset or 0
            case "gap":
                return decode(entry.facts, type=facts.Gap).to_offset
            case "quarantine" if entry.src:
                return entry.src.offset + decode(entry.facts, type=facts.Quarantine).offsets
        assert entry.src is not None
        return entry.src.offset + 1

    def compare(self, conn: Connected, partition: TopicPartition, held: Held) -> None:
        """Read the last stored record again, hold it against what is stored, and note its leader epoch.

        Raises AlarmError if another record lies at its offset now. What retention has deleted since, or whose
        key was destroyed, cannot be compared and is believed.
        """
        stored = places.stored_last(conn, held.head.log_id, held.head.size)
        entry = parse(stored.body)
        if entry.src is None or held.entry_end != entry.src.offset + 1:
            return
        offset = entry.src.offset
        try:
            now = self._reader.record_at(partition, offset, _REREAD_SECONDS)
        except RereadError as fault:
            raise AlarmError(str(fault), held, offset=offset) from fault
        record = self._opened(entry, stored, held)
        if now.record is not None and record is not None and _differs(now, record):
            raise AlarmError("the record stored last is not what Kafka holds now", held, offset=offset)
        held.leader_epoch = now.leader_epoch

    def _opened(self, entry: Entry, stored: places.Stored, held: Held) -> Record | None:
        if entry.payload is None or stored.ciphertext is None or stored.wrapped is None:
            return None
        cipher = Cipher(self._kek.unwrap(stored.wrapped))
        try:
            return unframe(cipher.open(stored.ciphertext, bytes.fromhex(entry.payload.commit)))
        except EnvelopeError as fault:
            raise AlarmError(f"{fault}: run `reviewsvc audit verify`", held) from fault


def recreated(held: Held, topic_id: str) -> AlarmError:
    """Say that another topic has taken the name: its offsets mean other records."""
    return AlarmError(RECREATED, held, was=held.head.topic_id, now=topic_id)


def _differs(now: Reread, stored: Record) -> bool:
    assert now.record is not None
    _, _, key, value, headers = now.record
    return (key, value, headers) != (stored.key, stored.value, stored.headers)


def report(conn: Connected, partition: TopicPartition, fault: AlarmError) -> None:
    """Raise the alarm where operators look: the table, the page, the log line."""
    head = fault.held.head
    detail = {"topic": partition.topic, "partition": partition.partition, **fault.detail}
    places.raise_alarm(conn, head.log_id, fault.reason, detail | {"next_offset": fault.held.next_offset})
    _log.error("partition stopped", reason=fault.reason, log=head.name, **fault.detail)
