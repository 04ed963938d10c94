"""Walks the root log: each checkpoint in it continues that log's one before, and is stored as it says."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.json import decode

from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Entry, Ref, parse
from reviewsvc.domain.projections import CheckpointRow, Place, checkpoint_row
from reviewsvc.domain.tree import EMPTY_ROOT, ProofError, verify_consistency
from reviewsvc.domain.verdict import Findings
from reviewsvc.usecases.note_check import NoteCheck, NoteFaultError

_LARGEST: Final = (1 << 63) - 1


class Told(NamedTuple):
    """What an entry of the root log says of another log's tree, and the row that it asks for."""

    seq: int
    said: f.Checkpoint
    row: CheckpointRow


class RootCheck:
    """One root log, from its beginning or from a place up to which it was verified before."""

    def __init__(
        self, conn: Connected, heads: Sequence[scan.LogHead], notes: NoteCheck, *, trusts_rows: bool
    ) -> None:
        """Take up the logs; `trusts_rows`: the notes in equal rows are judged where those logs are read."""
        self._conn, self._notes, self._trusts_rows = conn, notes, trusts_rows
        self._heads = {head.name: head for head in heads}
        self._last: dict[int, tuple[int, bytes]] = {}
        self._seen: dict[int, int] = {}
        self._first = self.matched = 0

    def begin(self, head: scan.LogHead, first: int, findings: Findings) -> None:
        """Start with a root log, at a seq."""
        self._head, self._first, self._findings = head, first, findings
        self._last = {}

    def chunk(self, chunk: Iterable[tuple[int, bytes]]) -> list[int]:
        """Follow the next entries and return their times."""
        times, told = [], []
        for seq, body in chunk:
            try:
                entry = parse(body)
            except (ValueError, RecursionError):
                # The projections' check says it; here the place in the list of times must be kept.
                times.append(0)
                continue
            times.append(entry.at)
            if entry.kind == "checkpoint" and (one := self._read(seq, entry)):
                told.append(one)
        rows = stored.checkpoints_at(self._conn, [one.row[:2] for one in told]) if told else {}
        for one in told:
            self._follow(one)
            self._compare(one, rows.get(one.row[:2]))
        return times

    def end(self, findings: Findings) -> None:
        """Look, once every root log was followed, for logs whose last checkpoint none of them has."""
        for head in self._heads.values():
            row = stored.checkpoint(self._conn, head.log_id, head.sealed) if head.sealed else None
            is_due = row is not None and row.root_seq is not None and row.root_seq >= self._first
            if is_due and self._seen.get(head.log_id, 0) < head.sealed:
                told = f"the checkpoint of {head.name} with {head.sealed} entries stands in no root log"
                findings.note(0, told)

    def across(self, findings: Findings) -> None:
        """Count, once every root log was followed from its beginning, the rows that none of them asks for."""
        more = stored.entered(self._conn, {head.log_id: head.sealed for head in self._heads.values()})
        if more > self.matched:
            findings.note(0, f"{more - self.matched} rows of checkpoint stand in no entry of the root log")

    def _read(self, seq: int, entry: Entry) -> Told | None:
        try:
            said = decode(entry.facts, type=f.Checkpoint)
            head = self._heads[said.log]
            row = checkpoint_row(Place(self._head.log_id, seq, entry.at), said, head.log_id)
            [bytes.fromhex(each) for each in said.proof]
        except KeyError as fault:
            self._findings.note(seq, f"it is about the log {fault.args[0]}, which does not exist")
            return None
        except ValueError as fault:
            self._findings.note(seq, f"it says of no checkpoint: {fault}")
            return None
        if not 0 <= said.previous <= said.size <= _LARGEST:
            self._findings.note(seq, f"from {said.previous} to {said.size} entries no log goes")
            return None
        if entry.ref != Ref(said.log, said.size - 1):
            self._findings.note(
                seq, f"its ref is not entry {said.size - 1} of {said.log}, the last it covers"
            )
        return Told(seq, said, row)

    def _follow(self, one: Told) -> None:
        """Hold a checkpoint against the one before of the same log."""
        said, log_id = one.said, one.row.log_id
        before, old_root = self._last.get(log_id) or self._before(one)
        self._last[log_id] = said.size, one.row.root
        self._seen[log_id] = said.size
        if said.previous != before or said.size <= before:
            told = f"it lets {said.log} go on from {said.previous} to {said.size}, and {before} were signed"
            self._findings.note(one.seq, told)
            return
        try:
            proof = [bytes.fromhex(each) for each in said.proof]
            verify_consistency(before, said.size, old_root, one.row.root, proof)
        except ProofError as fault:
            told = (
                f"{said.log} with {said.size} entries and the root {said.root} does not continue it: {fault}"
            )
            self._findings.note(one.seq, told)

    def _before(self, one: Told) -> tuple[int, bytes]:
        """A log's checkpoint before, where the walk did not begin at the beginning."""
        row = None
        if self._first > 0 and one.said.previous:
            row = stored.checkpoint(self._conn, one.row.log_id, one.said.previous)
        return (row.size, row.root) if row else (0, EMPTY_ROOT)

    def _compare(self, one: Told, row: CheckpointRow | None) -> None:
        said = one.said
        place = f"checkpoint of {said.log} with {said.size} entries"
        if row == one.row:
            self.matched += 1
            if self._trusts_rows:
                return
        elif row is None:
            self._findings.note(one.seq, f"the {place} is not stored")
        else:
            self.matched += row.root_seq is not None
            wrong = [name for name in row._fields if getattr(row, name) != getattr(one.row, name)]
            self._findings.note(one.seq, f"the stored {place} differs in {', '.join(wrong)}")
        try:
            self._notes.check(said.log, (said.size, one.row.root), said.note, one.row.at)
        except NoteFaultError as fault:
            self._findings.note(one.seq, f"the {place}: {fault}")
