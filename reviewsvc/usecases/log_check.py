"""Verifies one log, or a part of one: chain, tree and seals, root entries, rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.chain import Chain
from reviewsvc.domain.projections import CheckpointRow
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import Findings, LogReport
from reviewsvc.usecases.note_check import NoteCheck
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.projection_check import Known, ProjectionCheck
from reviewsvc.usecases.root_check import RootCheck
from reviewsvc.usecases.seal_check import SealCheck

Progress = Callable[[str, int, int], None]
Chunk = list[tuple[int, bytes]]

# Eight tiles: what is looked at together is then the same in a whole log and in a piece of it.
CHUNK = 2_048
SMALLEST_SEQ = -(2**63)


class Piece(NamedTuple):
    """A part of a log: from behind a checkpoint of it, or from its beginning, to before a seq.

    One with a `seam` goes on at that seq, the end of a tile, where another piece of the log ends.
    """

    head: scan.LogHead
    start: CheckpointRow | None
    behind: int
    seam: int = 0

    @property
    def first(self) -> int:
        """The seq at which it begins."""
        return self.start.size if self.start else self.seam

    @property
    def is_to_its_end(self) -> bool:
        """Say whether it ends where the log ends."""
        return self.behind >= self.head.size


class End(NamedTuple):
    """An end of a piece: the hash of the entry before it, and the tree's size and root, if there is one."""

    last_hash: bytes
    tree: tuple[int, bytes] | None


class Part(NamedTuple):
    """What came of a piece: its report, its two ends, and how many rows its entries asked for.

    `vouched` says whether a key from outside signed its last checkpoint, None if it has none;
    `is_resumed` that the entry before it told all that its own are held against.
    """

    report: LogReport
    begin: End
    end: End
    vouched: bool | None
    known: Known
    is_resumed: bool


class LogCheck:
    """Verifies piece after piece, on one connection."""

    def __init__(
        self,
        conn: Connected,
        heads: Sequence[scan.LogHead],
        notes: NoteCheck,
        known: Mapping[str, Sequence[SignedRoot]],
        root: RootCheck | None,
        *,
        projections: bool,
        keks: KekSource | None = None,
    ) -> None:
        origin = scan.origin(conn)
        assert origin is not None
        self._conn, self._origin, self._notes, self._known, self._root = conn, origin, notes, known, root
        self.rows = ProjectionCheck(conn, heads, keks) if projections else None
        self.vouched: set[str] = set()

    def check(self, piece: Piece, progress: Progress) -> LogReport:
        """Verify a piece and say what was found."""
        part = self.part(piece, progress)
        if part.vouched:
            self.vouched.add(piece.head.name)
        return part.report

    def part(self, piece: Piece, progress: Progress) -> Part:
        """Verify a piece and tell besides what its neighbours are held against."""
        head, found = piece.head, Findings(piece.head.name)
        before = self.rows.known() if self.rows else {}
        chain = Chain(self._origin, found)
        seal = SealCheck(self._conn, head, self._notes, found, self._known.get(head.name, ()))
        _resume(self._conn, piece, chain, seal)
        begin = End(chain.last_hash, seal.place)
        self._begin(piece, found)
        read = self._follow(piece, chain, seal, progress)
        if piece.is_to_its_end:
            _end(self._conn, head, chain, found)
            seal.end()
        elif chain.seq < piece.behind:
            found.note(chain.seq, f"entries {chain.seq} to {piece.behind - 1} are missing")
        report = self._report(piece, read, chain, seal, found)
        now = self.rows.known() if self.rows else {}
        known = {place: count - before.get(place, 0) for place, count in now.items()}
        is_resumed = self.rows is None or self.rows.is_resumed
        end = End(chain.last_hash, seal.place)
        return Part(report, begin, end, seal.is_vouched, known, is_resumed)

    def _report(self, piece: Piece, read: int, chain: Chain, seal: SealCheck, found: Findings) -> LogReport:
        rows = self.rows.end() if self.rows else Findings(found.log)
        rows.found[:0] = found.found
        return LogReport(
            found.log,
            read,
            chain.last_hash.hex(),
            rows.in_order(),
            self.rows.unknown_kinds if self.rows else [],
            found.more + rows.more,
            piece.first,
            piece.head.sealed,
            seal.seal.hex(),
        )

    def _begin(self, piece: Piece, found: Findings) -> None:
        if self.rows:
            self.rows.begin(piece.head, range(piece.first, piece.behind))
        if self._root and piece.head.kind == "root":
            self._root.begin(piece.head, piece.first, found)

    def _follow(self, piece: Piece, chain: Chain, seal: SealCheck, progress: Progress) -> int:
        read = 0
        for chunk in _chunks(self._conn, piece):
            first = chain.seq
            leaves = chain.follow(chunk)
            times = self._root.chunk(chunk) if self._root and piece.head.kind == "root" else []
            if (chunk[0][0], chunk[-1][0]) == (first, first + len(chunk) - 1):
                seal.follow(first, leaves, times)
            else:
                seal.lose()
            if self.rows:
                self.rows.chunk(chunk)
            read += len(chunk)
            progress(piece.head.name, read, piece.behind - piece.first)
        return read


def _resume(conn: Connected, piece: Piece, chain: Chain, seal: SealCheck) -> None:
    """Take up chain and tree where a piece begins, as the tiles and the entry before it are stored."""
    if piece.start and not seal.start(piece.start):
        seal.lose()
    if piece.seam:
        seal.take_up(piece.seam)
    if piece.first:
        before = scan.entries(conn, piece.head.log_id, range(piece.first - 1, piece.first))
        chain.resume(piece.first, before[0][1] if before else b"")


def _chunks(conn: Connected, piece: Piece) -> Iterator[Chunk]:
    """Yield a piece's entries; the next ones are fetched while some are looked at."""
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(_fetch, conn, piece, piece.first or SMALLEST_SEQ)
        while chunk := coming.result():
            coming = ahead.submit(_fetch, conn, piece, chunk[-1][0] + 1)
            yield chunk


def _fetch(conn: Connected, piece: Piece, begin: int) -> Chunk:
    """Fetch the next entries from a seq on; where there are none, those behind the hole."""
    log_id, end = piece.head.log_id, piece.behind
    behind = min(begin + CHUNK, end)
    chunk = scan.entries(conn, log_id, range(begin, behind))
    if chunk or behind == end:
        return chunk
    following = scan.next_seq(conn, log_id, behind)
    if following is None or following >= end:
        return []
    return scan.entries(conn, log_id, range(following, min(following + CHUNK, end)))


def _end(conn: Connected, head: scan.LogHead, chain: Chain, found: Findings) -> None:
    if not head.has_head:
        found.note(0, "its head is missing")
        return
    chain.end(head.size, head.last_hash, head.last_at)
    # In this order: what is appended between the two looks makes the head larger, never the last seq.
    last = scan.last_seq(conn, head.log_id)
    size = scan.size_now(conn, head.log_id)
    if last >= size:
        found.note(size, f"the head counts {size} entries, but seq {last} is stored")
