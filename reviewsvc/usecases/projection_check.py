"""Compares what the tables hold with what the entries say, chunk by chunk."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.json import decode

from reviewsvc.db.hot import crosschecks, scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain import projections as p
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.offsets import Offsets
from reviewsvc.domain.verdict import Findings
from reviewsvc.usecases import terms_check, wanted_rows
from reviewsvc.usecases.payload_check import KekSource, PayloadCheck
from reviewsvc.usecases.story_check import StoryCheck
from reviewsvc.usecases.task_check import TaskCheck

Chunk = list[tuple[int, bytes]]
Rows = dict[int, tuple[Any, ...]]
Known = dict[tuple[str, str, str], int]

_FIRST_SEQ = -(2**63)
_FIRST = ("opened", "continuation")


class Said(NamedTuple):
    """An entry that could be read, and its facts if its kind is known."""

    seq: int
    entry: Entry
    facts: f.Facts | None


class ProjectionCheck:
    """Holds what the entries of one log ask for against what the tables have; then the tables as wholes."""

    def __init__(self, conn: Connected, heads: Sequence[scan.LogHead], keks: KekSource | None = None) -> None:
        """Take up the logs; with `keks` every payload whose key exists is opened. Raises KekError."""
        self._conn = conn
        self._opened = PayloadCheck(conn, keks) if keks else None
        self._log_sizes = {head.name: head.size for head in heads}
        self._names = wanted_rows.read_names(conn, {head.name: head.log_id for head in heads})
        self._seen = dict.fromkeys(wanted_rows.TABLES, 0)
        self._tasks = TaskCheck(conn, self._names, [head.log_id for head in heads if head.kind == "activity"])
        self._stories = StoryCheck(conn, self._names.queues)

    def begin(self, head: scan.LogHead, seqs: range | None = None) -> None:
        """Start with a log, or with a part of it."""
        self._head = head
        whole = range(_FIRST_SEQ, head.size)
        self._seqs = whole if seqs is None else seqs if seqs.start else range(_FIRST_SEQ, seqs.stop)
        self._next = self._seqs.start
        self._findings = Findings(head.name)
        self._offsets = Offsets(head.name, self._findings) if head.kind == "predictions" else None
        self.unknown_kinds: list[str] = []
        self.is_resumed = True
        self._look()
        if self._offsets and self._next > 0 and not self._resume(self._offsets):
            self._offsets, self.is_resumed = None, False

    def _resume(self, offsets: Offsets) -> bool:
        """Take up the offsets behind an entry that was verified before."""
        found = scan.entries(self._conn, self._head.log_id, range(self._next - 1, self._next))
        before = [self._read(seq, body) for seq, body in found]
        return any(one is not None and offsets.resume(one.entry.src, one.facts) for one in before)

    def chunk(self, chunk: Chunk) -> None:
        """Compare all that hangs on the next entries: rows, column by column, and ciphertexts."""
        behind = chunk[-1][0] + 1
        said = [one for seq, body in chunk if (one := self._read(seq, body))]
        for one in said:
            self._follow(one)
        self._compare_rows(said, range(self._next, behind))
        self._tasks.chunk(self._head.log_id, said, self._findings)
        if self._head.kind == "activity" and self._is_to_its_end:
            self._stories.chunk(self._head, said, self._findings)
        self._next = behind

    def end(self) -> Findings:
        """Close the log and return what did not agree in it."""
        self._compare_rows([], range(self._next, max(self._next, self._seqs.stop)))
        if self._offsets and self._is_to_its_end:
            self._offsets.end(self._head.next_offset, self._head.topic_id)
        if self._head.kind == "activity" and self._is_to_its_end:
            self._stories.end(self._head, self._findings)
        return self._findings

    @property
    def _is_to_its_end(self) -> bool:
        return self._seqs.stop >= self._head.size

    def known(self) -> Known:
        """How many rows were found to belong to entries, under (table, column of the log, of the seq)."""
        return {
            **{(table, "log_id", "seq"): count for table, count in self._seen.items()},
            **self._tasks.known(),
            **self._stories.known(),
        }

    def _read(self, seq: int, body: bytes) -> Said | None:
        try:
            entry = parse(body)
            wanted_rows.check_key(entry)
        except (ValueError, RecursionError) as fault:
            self._findings.note(seq, f"its bytes are {fault}")
            return None
        kind = f.KINDS.get(entry.kind)
        if kind is None:
            if entry.kind not in self.unknown_kinds:
                self.unknown_kinds.append(entry.kind)
            return Said(seq, entry, None)
        try:
            facts = decode(entry.facts, type=kind)
            wanted_rows.check_texts(facts)
        except ValueError as fault:
            self._findings.note(seq, f"its facts do not fit its kind {entry.kind}: {fault}")
            return Said(seq, entry, None)
        return Said(seq, entry, facts)

    def _follow(self, one: Said) -> None:
        if (one.entry.kind in _FIRST) != (one.seq == 0):
            self._findings.note(one.seq, "a log's first entry, and no other, says how it was opened")
        if one.entry.kind == "checkpoint" and self._head.kind != "root":
            self._findings.note(one.seq, "a checkpoint is not in the root log")
        ref = one.entry.ref
        if ref and not 0 <= ref.seq < self._log_sizes.get(ref.log, 0):
            self._findings.note(one.seq, f"it refers to {ref.log}, seq {ref.seq}, which does not exist")
        if self._offsets:
            self._offsets.follow(one.seq, one.entry.src, one.facts)

    def _compare_rows(self, said: Collection[Said], seqs: range) -> None:
        mark, seen = self._findings.mark(), dict(self._seen)
        self._compare_now(said, seqs)
        if self._findings.mark() != mark:
            # What an erasure or retention changed between two of these reads looks like a fault: whatever
            # was found is looked at once more, all of it at one moment.
            self._findings.forget(mark)
            self._seen = seen
            with scan.at_one_moment(self._conn):
                self._look()
                self._compare_now(said, seqs)

    def _look(self) -> None:
        """See what retention has dropped, and where payloads are."""
        self._dropped = scan.dropped(self._conn)
        self._payload_tables = scan.payload_tables(self._conn)

    def _compare_now(self, said: Collection[Said], seqs: range) -> None:
        keys = self._keys(said)
        wanted = self._wanted(said, keys)
        for table in wanted_rows.BY_KIND.get(self._head.kind, ()):
            rows, stored = wanted.get(table, {}), self._stored(table, seqs)
            if table == "prediction" and self._dropped:
                rows = self._without_dropped(rows, stored, said)
            self._compare(table, rows, stored)
        self._check_payloads({one.seq: one for one in said}, seqs, keys)
        # A key that went with the last month that needed it is explained by that month.
        gone = {
            one.seq: one.entry.payload.key
            for one in said
            if one.entry.payload and one.entry.payload.key not in keys
        }
        erased = scan.keys_erased(self._conn, sorted(set(gone.values()))) if gone else set()
        past = {one.seq for one in said if one.seq in gone and self._is_dropped("payload", one)}
        self._check_gone({seq: key for seq, key in gone.items() if key in erased or seq not in past}, erased)

    def _check_gone(self, gone: dict[int, str], erased: Collection[str]) -> None:
        """Hold what was said under keys that are gone (by seq) against the erasures."""
        if not gone:
            return
        for seq in scan.with_segment(self._conn, self._head.log_id, list(gone)):
            self._findings.note(seq, "its key is gone, and its row in prediction still has a segment")
        for seq, key in gone.items():
            if key not in erased:
                self._findings.note(seq, "its key is gone, and no erasure says so")

    def _keys(self, said: Iterable[Said]) -> dict[str, bool]:
        """Which keys exist, and whether each is a subject's, by their ids in hex."""
        ids = {one.entry.payload.key for one in said if one.entry.payload}
        return scan.keys_kept(self._conn, sorted(ids)) if ids else {}

    def _wanted(self, said: Iterable[Said], keys: dict[str, bool]) -> dict[str, Rows]:
        wanted: dict[str, Rows] = {}
        for seq, entry, facts in said:
            if facts is None:
                continue
            place = p.Place(self._head.log_id, seq, entry.at)
            key = entry.payload.key if entry.payload else ""
            try:
                subject = bytes.fromhex(key) if keys.get(key) else None
                for table, row in wanted_rows.rows(place, entry, facts, self._names, subject=subject):
                    wanted.setdefault(table, {})[seq] = row
                if self._head.kind == "activity":
                    wanted.setdefault("activity", {})[seq] = p.activity_row(place, entry, facts)
            except (ValueError, LookupError, OverflowError) as fault:
                self._findings.note(seq, f"its facts make no row: {type(fault).__name__} {fault}")
        return wanted

    def _stored(self, table: str, seqs: range) -> Rows:
        columns = wanted_rows.TABLES[table]
        place = columns.index("seq")
        found: Rows = {}
        for row in scan.rows(self._conn, table, columns, log_id=self._head.log_id, seqs=seqs):
            if row[place] in found:
                self._findings.note(row[place], f"{table} holds two rows for it")
            found[row[place]] = wanted_rows.as_compared(table, row) if table == "document" else row
            self._seen[table] += 1
        return found

    def _compare(self, table: str, wanted: Rows, stored: Rows) -> None:
        if wanted == stored:
            return
        for seq in sorted(wanted.keys() | stored.keys()):
            want, have = wanted.get(seq), stored.get(seq)
            if want is None:
                self._findings.note(seq, f"{table} holds a row that its entry does not ask for")
            elif have is None:
                self._findings.note(seq, f"its row in {table} is missing")
            elif tuple(want) != have:
                wrong = wanted_rows.differing(wanted_rows.TABLES[table], want, have)
                self._findings.note(seq, f"its row in {table} differs in {wrong}")

    def _without_dropped(self, rows: Rows, stored: Rows, said: Collection[Said]) -> Rows:
        """Leave out the rows that retention has dropped, and those only."""
        gone = {one.seq for one in said if one.seq not in stored and self._is_dropped("prediction", one)}
        return {seq: row for seq, row in rows.items() if seq not in gone}

    def _is_dropped(self, parent: str, one: Said) -> bool:
        classes = self._names.classes_of(one.facts)
        return any(
            month.parent == parent
            and month.retention_class in classes
            and month.since <= one.entry.at < month.until
            for month in self._dropped
        )

    def _check_payloads(self, said: dict[int, Said], seqs: range, keys: dict[str, bool]) -> None:
        found = set()
        fitting = {}
        columns = ("seq", "ciphertext", "at")
        for seq, stored, at in self._payloads(columns, seqs):
            entry = said[seq].entry if seq in said else None
            found.add(seq)
            if entry is None or entry.payload is None:
                self._findings.note(seq, "payload holds a row that its entry does not ask for")
            elif sha256(stored).hexdigest() != entry.payload.sha256 or at != entry.at:
                self._findings.note(seq, "its stored payload is not the one whose hash it carries")
            elif self._opened:
                fitting[seq] = stored, entry.payload
        for fault in self._opened.check(fitting) if self._opened else ():
            self._findings.note(*fault)
        for seq, one in said.items():
            payload = one.entry.payload
            if payload and seq not in found and payload.key in keys and not self._is_dropped("payload", one):
                self._findings.note(seq, "its payload is missing although its key still exists")

    def _payloads(self, columns: Sequence[str], seqs: range) -> Iterator[tuple[Any, ...]]:
        for table in self._payload_tables:
            yield from scan.rows(self._conn, table, columns, log_id=self._head.log_id, seqs=seqs)


def across(conn: Connected, heads: Sequence[scan.LogHead], known: Known, findings: Findings) -> None:
    """Look at the tables as wholes, once all logs were read and their rows are counted."""
    sizes = {head.log_id: head.size for head in heads}
    for (table, log_id, seq), count in known.items():
        more = crosschecks.surplus(conn, table, (log_id, seq), sizes, count)
        if more > 0:
            findings.note(0, f"{more} rows of {table} have a place ({seq}) where no entry asks for them")
    for what in [*crosschecks.disagreements(conn), *terms_check.check(conn)]:
        findings.note(0, what)
