"""Brings a log's part of a bundle into a folder, some thousand entries at a time, each part once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from reviewsvc.db.hot import exports
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.bundle import PART, folder, lines_file, needed_tiles
from reviewsvc.domain.bundle_view import Told, read_told
from reviewsvc.domain.edge import Edge
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH, Tile, encode_bundle
from reviewsvc.usecases import tiles
from reviewsvc.usecases.bundle_bins import Bin, Contents, Kept
from reviewsvc.usecases.bundle_payloads import ChangedPayloadError, Sight
from reviewsvc.usecases.bundle_plan import Piece, picked
from reviewsvc.usecases.bundle_views import keep_events, keep_rows
from reviewsvc.usecases.keyring import Keyring

_LARGEST_FILE: Final = 8 << 20


class BundleError(RuntimeError):
    """A bundle could not be made; the text says why, and what to do."""


class Part(Struct, frozen=True):
    """What was brought in of a part of a log."""

    log: str
    first: int
    entries: int
    disclosed: int
    withheld: dict[str, int]
    bin: str
    files: list[Kept]


class Block(NamedTuple):
    """Entries of one tile, by its index at level 0: their seqs and their bytes."""

    number: int
    seqs: Sequence[int]
    bodies: Sequence[bytes]


class Stage:
    """A folder in which a bundle grows: its files loose or in bins, and the pieces of its views."""

    def __init__(self, path: Path, sessions: Sessions, keyring: Keyring, reach: Reach) -> None:
        self.path, self.files, self.bins, self.rows = path, path / "files", path / "bins", path / "rows"
        self._sessions, self._sight = sessions, Sight(keyring, reach)
        for each in (self.files, self.bins, self.rows):
            each.mkdir(exist_ok=True)

    def bring(self, piece: Piece, done: set[int], note: Callable[[Part], None]) -> None:
        """Bring in a log: each part whose first seq is not done yet, then the tiles above its entries."""
        for seqs in _parts(piece, self.path):
            if seqs[0] not in done:
                with self._sessions.begin() as session:
                    note(self._part(Sessions.psycopg(session), piece, seqs))
        with self._sessions.begin() as session:
            conn = Sessions.psycopg(session)
            _check_root(conn, piece)
            for tile in needed_tiles(piece.scope.size, _blocks(piece, self.path)):
                if tile.level or tile.width < WIDTH:
                    self._write(piece, tile.path(), tiles.read(conn, piece.sealed, tile))
        self._write(piece, "checkpoint", piece.note.encode())

    def contents(self, parts: Iterable[Part]) -> Contents:
        """All files that are here, those of these parts and the loose ones."""
        return Contents(self.files, ((self.bins / part.bin, part.files) for part in parts))

    def _part(self, conn: Connected, piece: Piece, seqs: Sequence[int]) -> Part:
        name, first = piece.scope.name, seqs[0]
        found = exports.entries(conn, piece.log_id, seqs)
        if len(found) != len(seqs) or any(row[0] != seq for row, seq in zip(found, seqs, strict=True)):
            raise BundleError(_changed(piece, first, "or one behind it is missing"))
        part = f"{piece.log_id:010d}-{first:015d}"
        with (self.bins / f"{part}.bin").open("wb") as stream:
            kept = Bin(stream)
            _keep_blocks(conn, piece, found, kept)
            told = [read_told(body) for _, body in found]
            keep_rows(self.rows / part, name, told)
            if piece.kind == "activity":
                keep_events(self.rows / part, [body for _, body in found])
            counts = self._payloads(conn, piece, told, kept)
        withheld = {why: count for why, count in sorted(counts.items()) if why}
        return Part(name, first, len(found), counts[""], withheld, f"{part}.bin", kept.files)

    def _payloads(self, conn: Connected, piece: Piece, entries: Sequence[Told], kept: Bin) -> Counter[str]:
        """Keep a line for each payload; return how many are withheld by reason, disclosed ones under ""."""
        counts: Counter[str] = Counter()
        lines: list[bytes] = []
        first, size = -1, 0
        try:
            for shown in self._sight.show(conn, piece.log_id, entries):
                if size > _LARGEST_FILE:
                    kept.add(lines_file(piece.scope.name, "payloads", first), b"".join(lines))
                    lines, size = [], 0
                first = first if lines else shown.seq
                lines.append(shown.line)
                size += len(shown.line)
                counts[shown.why] += 1
        except ChangedPayloadError as error:
            raise BundleError(_changed(piece, error.seq, f"has another payload: {error}")) from error
        if lines:
            kept.add(lines_file(piece.scope.name, "payloads", first), b"".join(lines))
        return counts

    def _write(self, piece: Piece, path: str, data: bytes) -> None:
        target = self.files / folder(piece.scope.name) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _keep_blocks(conn: Connected, piece: Piece, found: Sequence[tuple[int, bytes]], kept: Bin) -> None:
    """Keep the tiles of the entries, and the entries: whole bundles of 256, else as lines."""
    log = folder(piece.scope.name)
    blocks = [Block(number, *zip(*rows, strict=True)) for number, rows in groupby(found, _block_of)]
    leaves = exports.leaf_tiles(conn, piece.log_id, [block.number for block in blocks])
    loose: list[bytes] = []
    for block in blocks:
        width = min(WIDTH, piece.scope.size - block.number * WIDTH)
        tile = Tile(0, block.number, width)
        hashes = leaves.get(block.number, b"")[: width * HASH_BYTES] or tiles.read(conn, piece.sealed, tile)
        _check_leaves(piece, block, hashes)
        kept.add(f"{log}/{tile.path()}", hashes)
        if len(block.seqs) == width:
            kept.add(f"{log}/{Tile(None, block.number, width).path()}", encode_bundle(block.bodies))
        else:
            loose += block.bodies
    if loose:
        kept.add(lines_file(piece.scope.name, "entries", found[0][0]), b"\n".join([*loose, b""]))


def _check_leaves(piece: Piece, block: Block, hashes: bytes) -> None:
    """Hold entries against the hashes that were signed; the tile's own are held against the root later."""
    made = [sha256(b"\x00" + body).digest() for body in block.bodies]
    if b"".join(made) == hashes:
        return
    for seq, each in zip(block.seqs, made, strict=True):
        at = seq % WIDTH * HASH_BYTES
        if hashes[at : at + HASH_BYTES] != each:
            raise BundleError(_changed(piece, seq, "is not what was signed"))


def _check_root(conn: Connected, piece: Piece) -> None:
    """What is in no stored tile yet was hashed anew: the root must be the one that was signed."""
    sealed = piece.sealed
    edge = Edge(sealed.size, tiles.partials(conn, sealed.log_id, sealed.size))
    if edge.root() != sealed.root:
        raise BundleError(
            f"the first {sealed.size} entries of {sealed.name} are not what was signed; "
            "run `reviewsvc audit verify`"
        )


def _changed(piece: Piece, seq: int, what: str) -> str:
    return f"entry {seq} of {piece.scope.name} {what}; run `reviewsvc audit verify`"


def _parts(piece: Piece, path: Path) -> Iterator[Sequence[int]]:
    """Cut the seqs into parts of whole tiles, of at least PART entries where there are so many."""
    scope = piece.scope
    if scope.scope == "range":
        behind = range(scope.first - scope.first % PART + PART, scope.behind + PART, PART)
        first = scope.first
        for end in behind:
            if first < scope.behind:
                yield range(first, min(end, scope.behind))
            first = end
        return
    part: list[int] = []
    for _, members in groupby(picked(path, piece.log_id), lambda seq: seq // WIDTH):
        part += members
        if len(part) >= PART:
            yield part
            part = []
    if part:
        yield part


def _block_of(row: tuple[int, bytes]) -> int:
    return row[0] // WIDTH


def _blocks(piece: Piece, path: Path) -> Iterator[int]:
    scope = piece.scope
    if scope.scope == "range":
        yield from range(scope.first // WIDTH, -(-scope.behind // WIDTH))
        return
    for block, _ in groupby(picked(path, piece.log_id), lambda seq: seq // WIDTH):
        yield block
