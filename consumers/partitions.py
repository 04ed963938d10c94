"""Claims partitions and holds them against what is stored, so that reading goes on where writing ended."""

import time
from typing import NamedTuple

import psycopg
from kafka import KafkaAdminClient, TopicPartition
from msgspec import MsgspecError
from msgspec.json import decode

from consumers import alarms, broker
from consumers.held import LASTING, AlarmError, Held, Kind
from consumers.reader import DamagedError, Reader, Reread
from reviewsvc.crypto.envelope import Cipher, EnvelopeError
from reviewsvc.crypto.kek import KekError, WrapsKeys
from reviewsvc.db.hot import heads, places
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.heads import Head
from reviewsvc.domain import facts
from reviewsvc.domain.entries import Entry, EntryError, parse
from reviewsvc.domain.frames import Record, unframe

_REREAD_SECONDS = 5.0
_VERIFY = "run `reviewsvc audit verify`"


class Extent(NamedTuple):
    """The offsets that a partition has now: from `begin`, up to but not `end`."""

    begin: int
    end: int


class Claims:
    """Claims partitions' heads and checks that Kafka still holds what was stored last."""

    def __init__(
        self, origin: str, owner: str, kek: WrapsKeys, *, admin: KafkaAdminClient, reader: Reader
    ) -> None:
        self._origin, self._owner, self._kek = origin, owner, kek
        self._admin, self._reader = admin, reader

    def topic_id(self, topic: str) -> str:
        """The topic's id as the brokers know it now; TopicError if there is no such topic."""
        return str(broker.topic_id(self._admin, topic))

    def usable_topic_id(self, topic: str) -> str:
        """The id of a topic that may be captured; TopicError, saying what to do, if it may not."""
        topic_id = self.topic_id(topic)
        broker.refuse_compacted(self._admin, topic)
        return topic_id

    def extent(self, partition: TopicPartition) -> Extent:
        """What the brokers have of a partition, open transactions included."""
        begin = broker.beginning_offsets(self._admin, [partition])[partition]
        return Extent(begin, broker.end_offsets(self._admin, [partition], committed=False)[partition])

    def claim(self, conn: Connected, partition: TopicPartition) -> tuple[Held, AlarmError | None]:
        """Become the partition's writer; a partition met for the first time gets its log.

        Gives an alarm with it that an earlier owner raised, and that ends once the partition goes on. Raises
        AlarmError, with the partition claimed, if an operator must look; HeadError if nobody may write the
        log; TopicError, RereadError or KafkaError if the brokers cannot answer now.
        """
        topic_id = self.usable_topic_id(partition.topic)
        known = heads.known(conn, partition.topic, [partition.partition]).get(partition.partition)
        if known is None:
            known = self._open(conn, partition, topic_id)
        if not known.topic_id:
            # The log before was made after the backup was: nobody knows how far the topic was read.
            heads.begin(conn, known.log_id, topic_id, self.extent(partition).begin)
        head = heads.claim(conn, known.log_id, self._owner)
        held = Held(head, head.next_offset, head.next_offset)
        if head.topic_id != topic_id:
            held.entry_end = self.entry_end(conn, head)
            raise recreated(held, topic_id)
        self._check(conn, partition, held)
        return held, alarms.standing(conn, held)

    def _open(self, conn: Connected, partition: TopicPartition, topic_id: str) -> Head:
        first = broker.beginning_offsets(self._admin, [partition])[partition]
        opening = heads.Opening(partition.topic, partition.partition, topic_id, first)
        heads.open_log(conn, self._origin, opening, time.time_ns() // 1000)
        return heads.known(conn, partition.topic, [partition.partition])[partition.partition]

    def _check(self, conn: Connected, partition: TopicPartition, held: Held) -> None:
        held.entry_end = self.entry_end(conn, held.head)
        before = alarms.standing(conn, held)
        if before is not None and before.kind in LASTING:
            raise before
        self.compare(conn, partition, held)

    def renewed(self, conn: Connected, held: Held) -> Head | None:
        """Claim again what is still ours, ending whatever of ours still holds it; None if it is another's.

        After a broken connection nothing else tells whether the batch on its way was committed.
        """
        return heads.reclaim(conn, held.head, self._owner)

    def current(self, conn: Connected, partition: TopicPartition, held: Held) -> Head | None:
        """The head as it stands; None if another process has claimed it."""
        head = heads.known(conn, partition.topic, [partition.partition]).get(partition.partition)
        ours = head is not None and (head.log_id, head.epoch) == (held.head.log_id, held.head.epoch)
        return head if ours else None

    def entry_end(self, conn: Connected, head: Head) -> int:
        """The offset behind what the log's last entry covers."""
        entry, _ = self._last(conn, head)
        match entry.kind:
            case "opened":
                return decode(entry.facts, type=facts.Opened).first_offset or 0
            case "continuation":
                return decode(entry.facts, type=facts.Continuation).next_offset or head.next_offset
            case "gap":
                return decode(entry.facts, type=facts.Gap).to_offset
            case "quarantine" if entry.src:
                return entry.src.offset + decode(entry.facts, type=facts.Quarantine).offsets
        return head.next_offset if entry.src is None else entry.src.offset + 1

    def compare(self, conn: Connected, partition: TopicPartition, held: Held) -> None:
        """Read the last stored record again, hold it against what is stored, and note its leader epoch.

        Raises AlarmError if another record lies at its offset now, RereadError if the brokers do not answer.
        What retention has deleted since, or whose key was destroyed, cannot be compared and is believed.
        """
        entry, stored = self._last(conn, held.head)
        if entry.src is None or held.entry_end != entry.src.offset + 1:
            return
        offset = entry.src.offset
        try:
            now = self._reader.record_at(partition, offset, _REREAD_SECONDS)
        except DamagedError as fault:
            raise AlarmError(Kind.UNREADABLE, str(fault), held, offset=offset) from fault
        if now.still_there and _differs(now, self._opened(entry, stored, held)):
            reason = "the record stored last is not what Kafka holds now"
            raise AlarmError(Kind.CHANGED, reason, held, offset=offset)
        held.leader_epoch = now.leader_epoch

    def _last(self, conn: Connected, head: Head) -> tuple[Entry, places.Stored]:
        try:
            stored = places.stored_last(conn, head.log_id, head.size)
            return parse(stored.body), stored
        except (LookupError, EntryError, MsgspecError, psycopg.DataError) as fault:
            held = Held(head, head.next_offset, head.next_offset)
            reason = f"the log's last entry cannot be read ({fault}): {_VERIFY}"
            raise AlarmError(Kind.UNREADABLE, reason, held) from fault

    def _opened(self, entry: Entry, stored: places.Stored, held: Held) -> Record | None:
        if entry.payload is None or stored.ciphertext is None or stored.wrapped is None:
            return None
        try:
            cipher = Cipher(self._kek.unwrap(stored.wrapped))
            return unframe(cipher.open(stored.ciphertext, bytes.fromhex(entry.payload.commit)))
        except (EnvelopeError, KekError) as fault:
            raise AlarmError(Kind.UNREADABLE, f"{fault}: {_VERIFY}", held) from fault


def recreated(held: Held, topic_id: str) -> AlarmError:
    """Say that another topic has taken the name: its offsets mean other records."""
    reason = "the topic was deleted and created again"
    return AlarmError(Kind.RECREATED, reason, held, was=held.head.topic_id, now=topic_id)


def _differs(now: Reread, stored: Record | None) -> bool:
    """A marker in its place differs too; what cannot be opened is believed."""
    if now.record is None or stored is None:
        return now.record is None
    _, _, key, value, headers = now.record
    return (key, value, headers) != (stored.key, stored.value, stored.headers)
