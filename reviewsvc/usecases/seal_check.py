"""Holds one log against all that was signed of it: checkpoints, tiles, and what is remembered elsewhere."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.edge import Edge, FullTile
from reviewsvc.domain.projections import CheckpointRow
from reviewsvc.domain.restores import CONTINUED
from reviewsvc.domain.tiles import WIDTH, TileError
from reviewsvc.domain.tree import ProofError
from reviewsvc.domain.tree_check import SignedRoot, TreeCheck
from reviewsvc.domain.verdict import Findings, Verdict
from reviewsvc.usecases import tiles
from reviewsvc.usecases.note_check import NoteCheck, NoteFaultError
from reviewsvc.usecases.tiles import TileMissingError

_AT_ONCE: Final = 200
_PATIENCE, _MOMENT = 30, 0.1
_CHECKPOINT: Final = "its checkpoint says"


class SealCheck:
    """Follows a log's tree from its beginning, or from one of its checkpoints, past every later one."""

    def __init__(
        self,
        conn: Connected,
        head: scan.LogHead,
        notes: NoteCheck,
        findings: Findings,
        known: Iterable[SignedRoot] = (),
    ) -> None:
        """Begin with a log; `known` are roots that somebody outside the database remembers of it."""
        self._conn, self._head, self._notes, self._findings = conn, head, notes, findings
        self._known = sorted(known)
        self._tree: TreeCheck | None = TreeCheck(findings, Edge())
        self._rows: list[CheckpointRow] = []
        self._asked = self._first = 0
        self._times: Sequence[int] = ()
        # Nothing is signed of what lies behind it, so that there is no tree to compare.
        self._until = max([head.sealed, *(each.size for each in self._known if each.size <= head.size)])
        self.is_vouched: bool | None = None
        self.seal = b""
        self._check_sizes()

    @property
    def place(self) -> tuple[int, bytes] | None:
        """How many entries the tree stands behind, and its root over them; None if it was given up."""
        tree = self._tree
        return None if tree is None or tree.is_lost else (tree.size, tree.root())

    def start(self, row: CheckpointRow) -> bool:
        """Begin behind a checkpoint that was verified before; say whether tiles and entries lead to it."""
        self._check_note(row)
        tree = self._stored(row.size, f"its checkpoint of {row.size}")
        if tree is not None:
            tree.agree(SignedRoot(row.size, row.root, _CHECKPOINT))
        return tree is not None and not tree.is_lost

    def take_up(self, size: int) -> None:
        """Begin where a tile ends, as the tiles are stored, if anything behind it is signed.

        That shows nothing of what lies before: compare `place` with what the entries before lead to.
        """
        if size < self._until:
            self._stored(size, f"its first {size} entries")
        else:
            self._asked, self._tree = size, None

    def follow(self, first: int, leaves: Sequence[bytes], times: Sequence[int] = ()) -> None:
        """Take up the hashes of the entries from seq `first` on, and, of the root log, their times."""
        tree, self._first, self._times = self._tree, first, times
        if tree is None or first >= self._until:
            return
        if first + len(leaves) > self._until:
            leaves = leaves[: self._until - first]
        if tree.is_lost or first != tree.size:
            self._tree = None
            return
        full: list[FullTile] = []
        for signed in self._signed(first, first + len(leaves)):
            full += tree.extend(leaves[tree.size - first : signed.size - first])
            tree.agree(signed)
            if tree.is_lost:
                break
        else:
            full += tree.extend(leaves[tree.size - first :])
        self._compare(tree, full)

    def lose(self) -> None:
        """Give the tree up: entries are missing, or twice there, and said to be."""
        self._tree = None

    def end(self) -> None:
        """Look at what only shows once every entry was read."""
        surplus = stored.tiles_unasked(self._conn, self._head.log_id)
        if surplus:
            self._findings.note(self._head.sealed, f"{surplus} of its tiles hold what is not signed")
        for signed in self._known:
            # What a continuation commits to is in the log that follows, and has no checkpoint of its own.
            is_due = signed.told != CONTINUED and self._head.sealed < signed.size <= self._head.size
            if is_due and not self._is_entered(signed.size):
                told = f"a checkpoint of {signed.size} entries was signed, and is not stored"
                self._findings.note(signed.size - 1, told, Verdict.INCOMPLETE)

    def _stored(self, size: int, what: str) -> TreeCheck | None:
        """Let the tree stand behind `size` entries, as stored tiles lead there; None, and said, if not."""
        self._asked, self._tree = size, None
        try:
            edge = Edge(size, tiles.partials(self._conn, self._head.log_id, size))
        except (TileMissingError, TileError, ProofError) as fault:
            self._findings.note(size - 1, f"its tiles do not lead to {what}: {fault}")
            return None
        self._tree = TreeCheck(self._findings, edge)
        return self._tree

    def _is_entered(self, size: int) -> bool:
        """Say whether a checkpoint stands here by now: a sealer enters it a moment after it was signed."""
        for _ in range(_PATIENCE):
            if stored.checkpoints_after(self._conn, self._head.log_id, size - 1, 1):
                return True
            time.sleep(_MOMENT)
        return False

    def _check_sizes(self) -> None:
        head, note = self._head, self._findings.note
        if head.sealed > head.size:
            note(
                head.size, f"{head.sealed} entries of it were signed, and it has {head.size}: its end was cut"
            )
        for signed in self._known:
            if signed.size > head.size:
                told = (
                    f"{signed.told} {signed.root.hex()} over {signed.size} entries, and it has {head.size}: "
                    "its end was cut, or an older state was restored"
                )
                note(head.size, told, Verdict.INCOMPLETE)

    def _signed(self, first: int, behind: int) -> Iterator[SignedRoot]:
        """Yield the roots that are known of sizes above `first`, up to `behind`, in order."""
        found = [each for each in self._known if first < each.size <= behind]
        for row in self._checkpoints(behind):
            self._check_note(row)
            found.append(SignedRoot(row.size, row.root, _CHECKPOINT))
        return iter(sorted(found))

    def _checkpoints(self, behind: int) -> Iterator[CheckpointRow]:
        """Yield the next checkpoints up to a size; those that came since the run began are left out."""
        until = min(behind, self._head.sealed)
        while self._asked < until or self._rows:
            if not self._rows:
                self._rows = stored.checkpoints_after(self._conn, self._head.log_id, self._asked, _AT_ONCE)
                self._asked = self._rows[-1].size if len(self._rows) == _AT_ONCE else self._head.sealed
            while self._rows and self._rows[0].size <= until:
                yield self._rows.pop(0)
            if self._rows or self._asked >= until:
                return

    def _check_note(self, row: CheckpointRow) -> None:
        # The root log's own checkpoints have no entry that says when: not before the last one they cover.
        place = row.size - 1 - self._first
        at = max(row.at, self._times[place]) if 0 <= place < len(self._times) else row.at
        try:
            vouched = self._notes.check(self._head.name, (row.size, row.root), row.note, at)
        except NoteFaultError as fault:
            self._findings.note(row.size - 1, f"its checkpoint of {row.size} entries: {fault}")
            return
        self.is_vouched = vouched
        if row.size == self._head.sealed:
            self.seal = row.root

    def _compare(self, tree: TreeCheck, full: Iterable[FullTile]) -> None:
        """Hold the tiles that have become full, as far as they are signed, against those that are stored."""
        levels: dict[int, list[FullTile]] = defaultdict(list)
        for tile in full:
            if (tile.tile_index + 1) * WIDTH << 8 * tile.level <= self._head.sealed:
                levels[tile.level].append(tile)
        for level, own in levels.items():
            places = range(own[0].tile_index, own[-1].tile_index + 1)
            kept = {
                each.tile_index: each.data
                for each in stored.tiles(self._conn, self._head.log_id, level, places)
            }
            for tile in own:
                if kept.get(tile.tile_index) != tile.data:
                    tree.compare(tile, kept.get(tile.tile_index))
