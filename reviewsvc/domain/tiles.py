"""C2SP tlog-tiles: a log cut into immutable tiles of 256 hashes and bundles of 256 entries."""

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from reviewsvc.domain.tree import ReadNode, root_of

WIDTH = 256
HASH_BYTES = 32
LONGEST_ENTRY_BYTES = 65_535
_HEIGHT = 8
_HIGHEST_LEVEL = 63
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

ReadTile: TypeAlias = Callable[["Tile"], bytes]


class TileError(ValueError):
    """A path or its bytes are not those of a tile; the text says why."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile: its level (None for a bundle of entries), its index there, and how many hashes or entries."""

    level: int | None
    index: int
    width: int = WIDTH

    def path(self) -> str:
        """The tile's path, its index in groups of three digits."""
        groups = [f"{self.index % 1000:03d}"]
        left = self.index // 1000
        while left:
            groups.append(f"x{left % 1000:03d}")
            left //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        level = "entries" if self.level is None else self.level
        return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def parse_path(path: str) -> Tile:
    """Read a tile's path strictly: any other spelling of it is a TileError."""
    matched = _PATH.fullmatch(path)
    if not matched:
        raise TileError(f"{path[:80]!r} is no tile's path")
    level, groups, width = matched.groups()
    tile = Tile(
        None if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if tile.path() != path or (tile.level or 0) > _HIGHEST_LEVEL:
        raise TileError(f"{path[:80]!r} is no tile's path")
    return tile


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of hashes that a log of `size` entries has and that of `since` entries had not.

    Partial ones at the right edge count; a partial tile that was there before in the same width does not.
    """
    level = 0
    while size >> level * _HEIGHT:
        count, before = size >> level * _HEIGHT, since >> level * _HEIGHT
        yield from (Tile(level, index) for index in range(before // WIDTH, count // WIDTH))
        if count % WIDTH and count != before:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def bundles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yield the bundles of entries, as `tiles_of` does the tiles of hashes."""
    for tile in tiles_of(size, since):
        if tile.level == 0:
            yield Tile(None, tile.index, tile.width)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Write entries one after the other, each behind its length as a big-endian uint16."""
    if any(len(entry) > LONGEST_ENTRY_BYTES for entry in entries):
        raise TileError(f"an entry is longer than {LONGEST_ENTRY_BYTES} bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Read exactly `width` entries: a bundle does not say itself how many it holds."""
    entries = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise TileError("a bundle ends inside a length")
        (length,) = struct.unpack_from(">H", data, at)
        at += 2 + length
        if at > len(data):
            raise TileError("a bundle ends inside an entry")
        entries.append(data[at - length : at])
    if len(entries) != width:
        raise TileError(f"a bundle holds {len(entries)} entries, not {width}")
    return entries


def parse_hashes(data: bytes, width: int) -> list[bytes]:
    """Read exactly `width` hashes."""
    if len(data) != width * HASH_BYTES:
        raise TileError(f"a tile of {width} hashes has {width * HASH_BYTES} bytes, not {len(data)}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def rows_of(data: bytes) -> list[bytes]:
    """Return a tile's hashes and the complete subtrees above them, row by row, one hash behind the other."""
    rows = [data]
    while len(rows[-1]) > HASH_BYTES:
        row, pairs = rows[-1], len(rows[-1]) // (2 * HASH_BYTES)
        begins = range(0, pairs * 2 * HASH_BYTES, 2 * HASH_BYTES)
        rows.append(b"".join(sha256(b"\x01" + row[at : at + 2 * HASH_BYTES]).digest() for at in begins))
    return rows


def nodes_from_rows(size: int, read: Callable[[Tile], Sequence[bytes]]) -> ReadNode:
    """Read a tree's nodes from the rows of the tiles of a log of `size` entries; rows may reach further."""

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, _HEIGHT)
        first = index << height
        count = min(size >> tile_level * _HEIGHT, (first // WIDTH + 1) * WIDTH)
        row = read(Tile(tile_level, first // WIDTH, (count - 1) % WIDTH + 1))[height]
        at = (first % WIDTH >> height) * HASH_BYTES
        return row[at : at + HASH_BYTES]

    return node


def nodes_from(size: int, read: ReadTile) -> ReadNode:
    """Read a tree's nodes from the tiles of a log of `size` entries, for the proofs."""

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, _HEIGHT)
        first = index << height
        count = min(size >> tile_level * _HEIGHT, (first // WIDTH + 1) * WIDTH)
        tile = Tile(tile_level, first // WIDTH, (count - 1) % WIDTH + 1)
        hashes = parse_hashes(read(tile), tile.width)
        at = first % WIDTH
        return root_of(hashes[at : at + (1 << height)])

    return node
