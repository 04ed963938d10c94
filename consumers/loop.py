"""The capture loop: poll, build, write; every batch is one transaction, and the next is built meanwhile."""

import time
from contextlib import suppress

import psycopg
from kafka import TopicPartition

from consumers.arrivals import arrivals
from consumers.assembly import Work
from consumers.assigned import Assigned, Parts
from consumers.continuity import Followed, follow
from consumers.fetch import Polled
from consumers.halving import MOVED, UNFIT, is_divisible, undo, write_apart
from consumers.held import AlarmError, Held, Kind
from consumers.lag import Lag
from consumers.partitions import Claims, recreated
from consumers.trouble import KAFKA_ERRORS
from consumers.writer import Pending, Writer
from reviewsvc import telemetry
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.connection import Connected

BATCH_RECORDS = 5_000
_IDLE_WRITE_SECONDS = 5.0
_LOOK_SECONDS = 2.0
_log = telemetry.logger("capture")

_Faults = dict[TopicPartition, AlarmError]
_Read = list[tuple[TopicPartition, Held, Followed]]


class Loop:
    """Captures the partitions that the group gives this process; one call of `step` is one turn."""

    def __init__(self, parts: Parts, lag: Lag) -> None:
        self._parts = parts
        self._lag = lag
        self.assigned = Assigned(parts)
        self._pending: Pending | None = None
        self._looked = self._flushed = time.monotonic()

    @property
    def conn(self) -> Connected:
        """The main thread's connection."""
        return self._parts.conn

    @property
    def claims(self) -> Claims:
        """What asks the brokers about topics and partitions."""
        return self._parts.claims

    @property
    def is_idle(self) -> bool:
        """Say whether no batch is on its way."""
        return self._pending is None

    @property
    def wrote_at(self) -> float:
        """When a batch last became durable."""
        return self._parts.measures.wrote_at

    @property
    def heard_at(self) -> float:
        """When a broker last answered."""
        return max(self._parts.fetch.answered_at, self._lag.answered_at)

    def step(self, timeout_seconds: float) -> bool:
        """Take one turn: rebalance, poll, build on the predicted heads, then let the batch before settle.

        Returns whether there was anything to capture. Whatever fails leaves the last durable heads in force,
        and drops what was polled: it is polled again from there.
        """
        self._rebalance()
        self._look_after()
        polled = self._parts.fetch.poll(BATCH_RECORDS, 0.0 if self._pending else timeout_seconds)
        read = self._follow(polled)
        if read is None:
            return True
        faults: _Faults = {}
        works = [work for each in read if (work := self._work(each, faults))]
        works += self._markers({work.partition for work in works})
        rows = self._built(works)
        # The batch before must be durable, and the topics still the ones fetched from, before this one goes.
        if rows is None or not self.settle():
            return True
        self._submit(works, rows, faults)
        self._stop(polled, faults)
        return bool(works)

    def settle(self) -> bool:
        """Wait for the batch on its way; False if it failed and reading goes on from the durable heads."""
        pending, self._pending = self._pending, None
        if pending is None:
            return True
        try:
            pending.wait()
        except MOVED as fault:
            undo(self._parts, self.assigned, fault)
        except psycopg.Error as fault:
            if not is_divisible(fault):
                raise
            write_apart(self._parts, self.assigned, pending.works, fault)
        else:
            self._settled(pending)
            return True
        return False

    def recover(self, conn: Connected, writer: Writer) -> None:
        """Go on with new connections after the old ones broke, from what the database holds now."""
        self._pending = None
        parts = self._parts
        broken, parts.conn, parts.writer = (parts.writer, parts.conn), conn, writer
        for each in broken:
            each.close()
        parts.assembly.use(conn)
        parts.assembly.reload()
        self.assigned.go_back(reclaim=True)
        # Nothing was fetched meanwhile: that says nothing about the brokers.
        parts.fetch.answered_at = time.monotonic()

    def rewind(self) -> None:
        """Read again from the durable heads, since what was polled last may not have been taken up."""
        if self.settle():
            self.assigned.go_back()

    def rest(self) -> None:
        """Fetch nothing but stay in the group while the database is away."""
        self.assigned.rest()
        self._parts.fetch.poll(1, 0.5)

    def tell(self) -> None:
        """Bring the figures of partitions up to date."""
        assigned = self.assigned
        self._parts.measures.has(
            len(assigned.held), sum(each not in assigned.held for each in assigned.alarms)
        )

    def close(self) -> None:
        """Finish the batch on its way and leave the group."""
        try:
            self.settle()
        except psycopg.Error as fault:
            _log.warning("the last batch is left to the next start", reason=type(fault).__name__)
        with suppress(*KAFKA_ERRORS):
            self._parts.fetch.close()
        self._parts.writer.close()
        self._parts.conn.close()

    def _follow(self, polled: Polled) -> _Read | None:
        """Keep what follows on what is stored; None if that took settling, and what was settled failed.

        Where another leader took over, what is stored last must still be what Kafka holds; `_work` compares
        it, once nothing is on its way.
        """
        held_of = self.assigned.held
        read = [
            (part.partition, held, follow(held.next_offset, held.leader_epoch, part.batches))
            for part in polled.parts
            if (held := held_of.get(part.partition))
        ]
        if any(followed.raised_epoch is not None for _, _, followed in read) and not self.settle():
            return None
        return read

    def _work(self, read: tuple[TopicPartition, Held, Followed], faults: _Faults) -> Work | None:
        partition, held, followed = read
        if followed.raised_epoch is not None:
            try:
                self._parts.claims.compare(self._parts.conn, partition, held)
            except AlarmError as fault:
                faults[partition] = fault
                return None
            held.leader_epoch = max(held.leader_epoch, followed.raised_epoch)
        if followed.jumped_to is not None:
            faults[partition] = AlarmError(Kind.JUMP, "offsets jump", held, jumped_to=followed.jumped_to)
        found = arrivals(followed.batches, held.entry_end)
        if not found:
            held.next_offset = followed.next_offset
            return None
        return Work(partition, held.head, found, followed.next_offset)

    def _markers(self, busy: set[TopicPartition]) -> list[Work]:
        """Each few seconds, store where partitions went on by markers alone.

        Retention may delete those markers, and an offset before them would be out of range after a restart.
        """
        if time.monotonic() - self._flushed < _IDLE_WRITE_SECONDS:
            return []
        self._flushed = time.monotonic()
        return [
            Work(partition, held.head, [], held.next_offset)
            for partition, held in self.assigned.held.items()
            if partition not in busy and held.next_offset > held.head.next_offset
        ]

    def _built(self, works: list[Work]) -> list[LogRows] | None:
        """Build the rows; None if a record could not be built, and the batch was written in parts instead."""
        if not works:
            return []
        try:
            return self._parts.assembly.build(works)
        except UNFIT as fault:
            if self.settle():
                write_apart(self._parts, self.assigned, works, fault)
            return None

    def _submit(self, works: list[Work], rows: list[LogRows], faults: _Faults) -> None:
        """Send the batch, without what was fetched from a topic that was deleted and created again."""
        if not works:
            return
        now = {topic: self._parts.claims.topic_id(topic) for topic in {w.partition.topic for w in works}}
        kept = []
        for work, part in zip(works, rows, strict=True):
            held, topic_id = self.assigned.held[work.partition], now[work.partition.topic]
            if work.head.topic_id != topic_id:
                faults[work.partition] = recreated(held, topic_id)
                continue
            kept.append((work, part))
            held.head, held.next_offset = part.after, work.next_offset
            if work.arrived:
                held.entry_end = work.arrived[-1].offset + work.arrived[-1].offsets
        if kept:
            generation = self._parts.assembly.rules.generation
            self._pending = self._parts.writer.submit(
                generation, [work for work, _ in kept], [part for _, part in kept]
            )

    def _settled(self, pending: Pending) -> None:
        self._parts.measures.captured(pending)
        self._parts.fetch.lag_is_known_at({work.partition: work.next_offset for work in pending.works})
        for work in pending.works:
            self.assigned.mended(work.partition)

    def _rebalance(self) -> None:
        changes = self._parts.fetch.changes()
        if changes.lost or changes.gained:
            self.assigned.changed(changes)
        if self.assigned.is_due():
            self.settle()
            self.assigned.begin()

    def _stop(self, polled: Polled, faults: _Faults) -> None:
        """Stop what must not go on. Should the batch before it fail, all is polled and judged again."""
        for partition, stopped in polled.stopped.items():
            held = self.assigned.held.get(partition)
            if held is not None and partition not in faults:
                detail = self._parts.claims.extent(partition)._asdict() if stopped.lost else {}
                kind = Kind.OUT_OF_RANGE if stopped.lost else Kind.UNREADABLE
                faults[partition] = AlarmError(kind, stopped.reason, held, **detail)
        if faults and self.settle():
            for partition, fault in faults.items():
                fault.held = self.assigned.held.get(partition, fault.held)
            self.assigned.stop(faults)

    def _look_after(self) -> None:
        """Each two seconds: partitions that stopped, and how far behind the others are."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        assigned = self.assigned
        if assigned.wants_attention() and self.settle():
            assigned.look_after()
        for partition in self._lag.look(assigned.held, self._parts.fetch.answered_at):
            # At its end nothing contradicts it: an alarm of an earlier owner that could mend has mended.
            assigned.mended(partition)
