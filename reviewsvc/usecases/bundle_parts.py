"""Brings some thousand entries of a log into a bundle at a time; any process may do so with any of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from reviewsvc.crypto.envelope import Cipher
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db.hot import exports
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.bundle import folder, lines_file
from reviewsvc.domain.bundle_view import Told, read_told
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH, Tile, encode_bundle
from reviewsvc.usecases import tiles
from reviewsvc.usecases.bundle_bins import Bin, Kept
from reviewsvc.usecases.bundle_payloads import ChangedPayloadError, Sight
from reviewsvc.usecases.bundle_pieces import Piece, picked
from reviewsvc.usecases.bundle_views import keep_events, keep_rows
from reviewsvc.usecases.crews import Tell
from reviewsvc.usecases.payload_check import KekSource

_LARGEST_FILE: Final = 8 << 20


class BundleError(RuntimeError):
    """A bundle could not be made; the text says why, and what to do."""


class Slice(NamedTuple):
    """What is brought in at once of a log: its first seq, and seqs of a range or places among the picks."""

    piece: Piece
    first: int
    begin: int
    end: int

    def seqs(self, path: Path) -> Sequence[int]:
        """Return the seqs; of a log that is picked from, as they are kept in this folder."""
        if self.piece.scope.scope == "range":
            return range(self.begin, self.end)
        return picked(path, self.piece.log_id, self.begin, self.end)


class Part(Struct, frozen=True):
    """What was brought in of a part of a log, and the name that its files have while the bundle is made."""

    log: str
    first: int
    entries: int
    disclosed: int
    withheld: dict[str, int]
    name: str
    files: list[Kept]


class Block(NamedTuple):
    """Entries of one tile, by its index at level 0: their seqs and their bytes."""

    number: int
    seqs: Sequence[int]
    bodies: Sequence[bytes]


class Places(NamedTuple):
    """Where parts are kept. Their names end in a mark of the run that made them.

    A process that outlives the run that started it writes nothing that a later run reads.
    """

    path: Path
    mark: str

    def bin(self, name: str) -> Path:
        """Return where the files of a part are."""
        return self.path / "bins" / f"{name}.bin"

    def rows(self, name: str) -> Path:
        """Return where the pieces of views of a part are, but for their suffixes."""
        return self.path / "rows" / name


class PartTask(NamedTuple):
    """What every process is told once that brings parts in."""

    keks: KekSource
    reach: Reach
    places: Places

    def begin(self, conn: Connected) -> Callable[[Slice, Tell], Part]:
        """Open the keys in a process, and return what it does with a slice."""
        keys = open_keks(file=self.keks.file, text=self.keks.text, kms=self.keks.kms)
        maker = PartMaker(Sight(lambda wrapped: Cipher(keys.unwrap(wrapped)), self.reach), self.places)
        return lambda each, _tell: maker.bring(conn, each)


class PartMaker:
    """Brings in parts, one after another."""

    def __init__(self, sight: Sight, places: Places) -> None:
        self._sight, self._places = sight, places

    def bring(self, conn: Connected, wanted: Slice) -> Part:
        """Bring in a part. Raises BundleError if it is not what was signed."""
        piece, seqs = wanted.piece, wanted.seqs(self._places.path)
        found = exports.entries(conn, piece.log_id, seqs)
        if len(found) != len(seqs) or any(row[0] != seq for row, seq in zip(found, seqs, strict=True)):
            raise BundleError(_changed(piece, wanted.first, "or one behind it is missing"))
        name = f"{piece.log_id:010d}-{wanted.first:015d}-{self._places.mark}"
        rows = self._places.rows(name)
        with self._places.bin(name).open("wb") as stream:
            kept = Bin(stream)
            _keep_blocks(conn, piece, found, kept)
            told = [read_told(body) for _, body in found]
            keep_rows(rows, piece.scope.name, told)
            if piece.kind == "activity":
                keep_events(rows, [body for _, body in found])
            counts = self._payloads(conn, piece, told, kept)
        withheld = {why: count for why, count in sorted(counts.items()) if why}
        return Part(piece.scope.name, wanted.first, len(found), counts[""], withheld, name, kept.files)

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


def _changed(piece: Piece, seq: int, what: str) -> str:
    return f"entry {seq} of {piece.scope.name} {what}; run `reviewsvc audit verify`"


def _block_of(row: tuple[int, bytes]) -> int:
    return row[0] // WIDTH
