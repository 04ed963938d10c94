"""The capture loop: poll, build, write; every batch is one transaction, and the next is built meanwhile."""

import time
from dataclasses import dataclass, replace

import psycopg
from kafka import TopicPartition
from kafka.errors import KafkaError

from consumers import gaps
from consumers.arrivals import arrivals
from consumers.assembly import Assembly, Work
from consumers.continuity import follow
from consumers.fetch import Part, RawFetch
from consumers.measures import Measures
from consumers.partitions import AlarmError, Claims, Held, recreated, report
from consumers.writer import Pending, Writer
from reviewsvc import telemetry
from reviewsvc.db.hot import batches, heads, places
from reviewsvc.db.hot.batches import FencedError, StaleRulesError
from reviewsvc.db.hot.connection import Connected

BATCH_RECORDS = 5_000
_IDLE_WRITE_SECONDS = 5.0
_LOOK_SECONDS = 2.0
_log = telemetry.logger("capture")

# Out of memory, over a limit of the server, cancelled: less at once may pass.
_TOO_MUCH = (psycopg.errors.OutOfMemory, psycopg.errors.ProgramLimitExceeded, psycopg.errors.QueryCanceled)


@dataclass(slots=True)
class Parts:
    """What the loop is made of."""

    fetch: RawFetch
    claims: Claims
    assembly: Assembly
    writer: Writer
    conn: Connected
    measures: Measures


class Loop:
    """Captures the partitions that the group gives this process; one call of `step` is one turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.held: dict[TopicPartition, Held] = {}
        self.stopped: dict[TopicPartition, AlarmError] = {}
        self._waiting: set[TopicPartition] = set()
        self._pending: Pending | None = None
        self._looked = self._wrote = time.monotonic()

    @property
    def conn(self) -> Connected:
        """The main thread's connection."""
        return self._parts.conn

    def step(self, timeout_seconds: float) -> bool:
        """Take one turn: rebalance, poll, build on the predicted heads, then let the batch before settle.

        Returns whether there was anything to capture. Whatever fails leaves the last durable heads in force.
        """
        self._rebalance()
        self._look_after()
        polled = self._parts.fetch.poll(BATCH_RECORDS, 0.0 if self._pending else timeout_seconds)
        faults: dict[TopicPartition, AlarmError] = {}
        works = [work for part in polled.parts if (work := self._work(part, faults))]
        rows = self._parts.assembly.build(works) if works else []
        # The batch before must be durable, and the topics still the ones fetched from, before this one goes.
        if self.settle() and works:
            works = self._still_the_same(works, faults)
            rows = [part for part in rows if part.before.log_id in {work.head.log_id for work in works}]
            self._submit(works, rows)
        for partition, reason in polled.stopped.items():
            if partition in self.held:
                faults.setdefault(partition, AlarmError(reason, self.held[partition]))
        self._stop(faults)
        return bool(works)

    def settle(self) -> bool:
        """Wait for the batch on its way; False if it failed and reading goes on from the durable heads."""
        pending, self._pending = self._pending, None
        if pending is None:
            return True
        try:
            pending.wait()
        except FencedError as fault:
            _log.warning("fenced", logs=sorted(fault.log_ids))
        except StaleRulesError:
            self._parts.assembly.reload()
        except (psycopg.DataError, *_TOO_MUCH) as fault:
            _log.warning("batch refused, written in parts", reason=type(fault).__name__)
            self._go_back()
            for work in pending.works:
                self._write_in_parts(work)
        else:
            self._parts.measures.captured(pending)
            self._parts.fetch.lag_is_known_at({work.partition: work.next_offset for work in pending.works})
            return True
        self._go_back()
        return False

    def recover(self, conn: Connected, writer: Writer) -> None:
        """Go on with new connections after the old ones broke, from what the database holds now.

        Whether the batch on its way was committed is read from the heads: nothing else could tell.
        """
        self._pending = None
        self._parts.writer.close()
        self._parts.conn.close()
        self._parts = replace(self._parts, conn=conn, writer=writer)
        self._parts.assembly.use(conn)
        self._parts.assembly.reload()
        self._go_back()

    def rewind(self) -> None:
        """Read again from the durable heads, since what was polled last may not have been taken up."""
        if self.settle():
            self._go_back()

    def rest(self) -> None:
        """Fetch nothing but stay in the group while the database is away."""
        for partition in self.held:
            self._parts.fetch.stop(partition)
        self._parts.fetch.poll(1, 0.5)

    def close(self) -> None:
        """Finish the batch on its way and leave the group."""
        self.settle()
        self._parts.fetch.close()
        self._parts.writer.close()
        self._parts.conn.close()

    def _work(self, part: Part, faults: dict[TopicPartition, AlarmError]) -> Work | None:
        held = self.held.get(part.partition)
        if held is None:
            return None
        followed = follow(held.next_offset, held.leader_epoch, part.batches)
        raised = followed.raised_epoch
        if raised is not None and not self._epoch_is_sound(part.partition, held, raised, faults):
            return None
        if followed.jumped_to is not None:
            faults[part.partition] = AlarmError("offsets jump", held, jumped_to=followed.jumped_to)
        found = arrivals(followed.batches, held.entry_end)
        if not found and time.monotonic() - self._wrote < _IDLE_WRITE_SECONDS:
            held.next_offset = followed.next_offset
            return None
        return Work(part.partition, held.head, found, followed.next_offset)

    def _epoch_is_sound(
        self, partition: TopicPartition, held: Held, epoch: int, faults: dict[TopicPartition, AlarmError]
    ) -> bool:
        """Another leader took over: what is stored last must still be what Kafka holds."""
        if not self.settle() or partition not in self.held:
            return False
        try:
            self._parts.claims.compare(self._parts.conn, partition, held)
        except AlarmError as fault:
            faults[partition] = fault
            return False
        held.leader_epoch = max(held.leader_epoch, epoch)
        return True

    def _still_the_same(self, works: list[Work], faults: dict[TopicPartition, AlarmError]) -> list[Work]:
        """Drop what was fetched from a topic that was deleted and created again without a word."""
        now = {topic: self._parts.claims.topic_id(topic) for topic in {w.partition.topic for w in works}}
        kept = []
        for work in works:
            topic_id = now[work.partition.topic]
            if work.head.topic_id == topic_id:
                kept.append(work)
            else:
                held = self.held[work.partition]
                faults[work.partition] = recreated(held, topic_id)
        return kept

    def _submit(self, works: list[Work], rows: list[batches.LogRows]) -> None:
        if not works:
            return
        for work, part in zip(works, rows, strict=True):
            held = self.held[work.partition]
            held.head, held.next_offset = part.after, work.next_offset
            if work.arrived:
                held.entry_end = work.arrived[-1].offset + work.arrived[-1].offsets
        self._pending = self._parts.writer.submit(self._parts.assembly.rules.generation, works, rows)
        self._wrote = time.monotonic()

    def _write_in_parts(self, work: Work) -> None:
        """Write halves of halves, so that the one record that the database refuses is found and kept."""
        work = replace(work, head=self.held[work.partition].head)
        rows = self._parts.assembly.build([work])
        try:
            batches.write(self._parts.conn, self._parts.assembly.rules.generation, rows)
        except (psycopg.DataError, *_TOO_MUCH) as fault:
            if len(work.arrived) > 1:
                for half in work.halves():
                    self._write_in_parts(half)
            elif isinstance(fault, psycopg.DataError) and work.arrived and work.arrived[0].fault is None:
                self._write_in_parts(work.refused())
            else:
                raise
        else:
            self.held[work.partition].head = rows[0].after

    def _go_back(self) -> None:
        """Drop what was predicted: read the heads, leave what others hold now, seek to what is durable."""
        for partition, held in list(self.held.items()):
            head = heads.known(self._parts.conn, partition.topic, [partition.partition])[partition.partition]
            if head.log_id != held.head.log_id or head.epoch != held.head.epoch:
                self._leave(partition)
                continue
            end = self._parts.claims.entry_end(self._parts.conn, head)
            self.held[partition] = Held(head, head.next_offset, end, held.leader_epoch)
            if not self._parts.fetch.start(partition, head.next_offset):
                self._leave(partition)

    def _leave(self, partition: TopicPartition) -> None:
        self._parts.fetch.stop(partition)
        self.held.pop(partition, None)

    def _rebalance(self) -> None:
        changes = self._parts.fetch.changes()
        if not changes.lost and not changes.gained:
            return
        self.settle()
        for partition in changes.lost:
            self.held.pop(partition, None)
            self.stopped.pop(partition, None)
            self._waiting.discard(partition)
        self._waiting |= changes.gained
        self._begin()

    def _begin(self) -> None:
        """Claim the partitions that wait; one that cannot be reached now is tried again at the next look."""
        for partition in sorted(self._waiting):
            try:
                held = self._parts.claims.claim(self._parts.conn, partition)
            except AlarmError as fault:
                self._waiting.discard(partition)
                self._stop({partition: fault})
                continue
            except KafkaError as fault:
                _log.warning("partition not ready", topic=partition.topic, reason=str(fault))
                continue
            self._waiting.discard(partition)
            self._start(partition, held)

    def _start(self, partition: TopicPartition, held: Held) -> None:
        places.end_alarm(self._parts.conn, held.head.log_id)
        if self._parts.fetch.start(partition, held.next_offset):
            self.held[partition] = held
            _log.info("partition claimed", log=held.head.name, next_offset=held.next_offset)

    def _stop(self, faults: dict[TopicPartition, AlarmError]) -> None:
        if not faults:
            return
        self.settle()
        for partition, fault in faults.items():
            fault.held = self.held.get(partition, fault.held)
            self._leave(partition)
            self.stopped[partition] = fault
            report(self._parts.conn, partition, fault)

    def _look_after(self) -> None:
        """Each two seconds: partitions that wait, and consents to go on behind a gap."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._begin()
        for partition, fault in list(self.stopped.items()):
            alarm = places.alarm(self._parts.conn, fault.held.head.log_id)
            if alarm is not None and alarm.consent:
                self._accept(partition, fault, alarm)

    def _accept(self, partition: TopicPartition, fault: AlarmError, alarm: places.Alarm) -> None:
        parts = self._parts
        self.settle()
        at = parts.claims.place_behind(partition, fault.held, alarm)
        ruled = parts.assembly.rules
        held = gaps.accepted(parts.conn, ruled.generation, fault.held, alarm, origin=ruled.origin, at=at)
        del self.stopped[partition]
        _log.warning("gap accepted", log=held.head.name, from_offset=fault.held.entry_end, to_offset=at[1])
        self._start(partition, held)
