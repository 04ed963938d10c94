"""Builds what one transaction writes from what one poll brought, whole or in halves."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kafka import TopicPartition

from reviewsvc.crypto.kek import WrapsKeys
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.heads import Head
from reviewsvc.domain.entries import LARGEST_BODY, EntryError
from reviewsvc.domain.event_faults import Fault, FaultCode
from reviewsvc.usecases import intake, rules
from reviewsvc.usecases.intake import Arrived, Builder
from reviewsvc.usecases.payload_keys import PayloadKeys

DOES_NOT_FIT = Fault(FaultCode.DOES_NOT_FIT, expected="an event that the database can hold")


@dataclass(slots=True)
class Work:
    """What is to be added to one log: the head that it follows, the records, and where they end."""

    partition: TopicPartition
    head: Head
    arrived: list[Arrived]
    next_offset: int

    def halves(self) -> "list[Work]":
        """Two works of half the records each; one if there is a single record."""
        middle = len(self.arrived) // 2
        if middle == 0:
            return [self]
        first, second = self.arrived[:middle], self.arrived[middle:]
        end = first[-1].offset + first[-1].offsets
        return [
            Work(self.partition, self.head, first, end),
            Work(self.partition, self.head, second, self.next_offset),
        ]

    def refused(self) -> "Work":
        """The same, its one record to be kept as quarantine, since the database refuses it as an event."""
        one = self.arrived[0]._replace(fault=DOES_NOT_FIT)
        return Work(self.partition, self.head, [one], self.next_offset)


class Assembly:
    """The rules and keys of the generation that batches are built under."""

    def __init__(self, conn: Connected, kek: WrapsKeys) -> None:
        """Take a connection for making keys and versions, beside the one that writes batches."""
        self._conn, self._kek = conn, kek
        self._keys = PayloadKeys(kek)
        self.rules = rules.load(conn, kek)

    def use(self, conn: Connected) -> None:
        """Go on with another connection, since the old one broke."""
        self._conn = conn

    def reload(self) -> None:
        """Take up the generation that stands now; keys are forgotten, an erasure may have ended them."""
        self._keys.forget()
        self.rules = rules.load(self._conn, self._kek)

    def build(self, works: Sequence[Work]) -> list[LogRows]:
        """Build the rows of every work; makes keys and versions that are missing, writes no entry."""
        ruled = self.rules
        reads = [intake.read(work.arrived, work.partition.topic, ruled) for work in works]
        needed = intake.needs((one for part in reads for one in part), ruled)
        clock = time.time_ns() // 1000
        builders = [self._builder(work, clock) for work in works]
        rules.add_versions(self._conn, ruled, needed.versions)
        self._keys.ensure(self._conn, needed.subjects, [builder.day for builder in builders])
        own = iter(self._keys.own(self._conn, needed.own_keys))
        rows = [
            builder.build(part, own, work.next_offset)
            for builder, part, work in zip(builders, reads, works, strict=True)
        ]
        if any(len(body) > LARGEST_BODY for part in rows for _, _, body in part.entries):
            raise EntryError(f"an entry would have more than {LARGEST_BODY} bytes")
        return rows

    def _builder(self, work: Work, clock: int) -> Builder:
        topic, partition = work.partition.topic, work.partition.partition
        return Builder(work.head, topic, partition, self.rules, keys=self._keys, clock=clock)
