"""Compares what the tables hold with what the entries say, chunk by chunk."""

from collections.abc import Collection, Iterable, Sequence
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
from reviewsvc.usecases import wanted_rows
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

    def __init__(self, conn: Connected, heads: Sequence[scan.LogHead]) -> None:
        self._conn = conn
        self._log_sizes = {head.name: head.size for head in heads}
        self._names = wanted_rows.read_names(conn, {head.name: head.log_id for head in heads})
        self._seen = dict.fromkeys(wanted_rows.TABLES, 0)
        self._tasks = TaskCheck(conn, self._names, [head.log_id for head in heads if head.kind == "activity"])
        self._stories = StoryCheck(conn, self._names.queues)

    def begin(self, head: scan.LogHead, seqs: range | None = None) -> None:
        """Start with a log, or with a part of it."""
        self._head = head
        self._seqs = seqs if seqs and seqs.start else range(_FIRST_SEQ, seqs.stop if seqs else head.size)
        self._next = self._seqs.start
        self._findings = Findings(head.name)
        self._offsets = Offsets(head.name, self._findings) if head.kind == "predictions" else None
        self.unknown_kinds: list[str] = []
        if self._offsets and self._next > 0 and not self._resume(self._offsets):
            self._offsets = None

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
        keys = self._keys(said)
        wanted = self._wanted(said, keys)
        for table in wanted_rows.BY_KIND.get(self._head.kind, ()):
            self._compare(table, wanted.get(table, {}), self._stored(table, seqs))
        self._check_payloads({one.seq: one.entry for one in said}, seqs, keys)
        gone = [one.seq for one in said if one.entry.payload and one.entry.payload.key not in keys]
        for seq in scan.with_segment(self._conn, self._head.log_id, gone) if gone else ():
            self._findings.note(seq, "its key is gone, and its row in prediction still has a segment")

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
            found[row[place]] = row
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

    def _check_payloads(self, entries: dict[int, Entry], seqs: range, keys: dict[str, bool]) -> None:
        found = set()
        columns = ("seq", "ciphertext", "at")
        for seq, stored, at in scan.rows(self._conn, "payload", columns, log_id=self._head.log_id, seqs=seqs):
            entry = entries.get(seq)
            found.add(seq)
            if entry is None or entry.payload is None:
                self._findings.note(seq, "payload holds a row that its entry does not ask for")
            elif sha256(stored).hexdigest() != entry.payload.sha256 or at != entry.at:
                self._findings.note(seq, "its stored payload is not the one whose hash it carries")
        for seq, entry in entries.items():
            if entry.payload and seq not in found and entry.payload.key in keys:
                self._findings.note(seq, "its payload is missing although its key still exists")


def across(conn: Connected, heads: Sequence[scan.LogHead], known: Known, findings: Findings) -> None:
    """Look at the tables as wholes, once all logs were read and their rows are counted."""
    sizes = {head.log_id: head.size for head in heads}
    for (table, log_id, seq), count in known.items():
        more = crosschecks.surplus(conn, table, (log_id, seq), sizes, count)
        if more > 0:
            findings.note(0, f"{more} rows of {table} have a place ({seq}) where no entry asks for them")
    for what in crosschecks.disagreements(conn):
        findings.note(0, what)
