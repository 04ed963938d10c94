"""Holds a log's tree, recomputed from its entries, against signed roots and stored tiles."""

from collections.abc import Sequence
from typing import NamedTuple

from reviewsvc.domain.edge import Edge, FullTile
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH
from reviewsvc.domain.verdict import Findings

_HEIGHT = 8


class SignedRoot(NamedTuple):
    """A root that a log must have at a size, and who says so."""

    size: int
    root: bytes
    told: str


class TreeCheck:
    """One log's tree; the first root that does not agree ends the comparison, as all behind it differ."""

    def __init__(self, findings: Findings, edge: Edge) -> None:
        self._findings, self._edge = findings, edge
        self._agreed = edge.size
        self._wrong_from: int | None = None
        self.is_lost = False

    @property
    def size(self) -> int:
        """How many entries it stands behind."""
        return self._edge.size

    def root(self) -> bytes:
        """The root over them."""
        return self._edge.root()

    def extend(self, leaves: Sequence[bytes]) -> list[FullTile]:
        """Append leaf hashes; return the tiles that they make full."""
        return self._edge.extend(leaves).tiles if leaves else []

    def agree(self, signed: SignedRoot) -> None:
        """Compare the root at the size where the tree stands now."""
        found = self._edge.root()
        if found == signed.root:
            self._agreed = signed.size
            return
        self.is_lost = True
        first = self._agreed if self._wrong_from is None else self._wrong_from
        told = (
            f"its first {signed.size} entries have the root {found.hex()}, {signed.told} {signed.root.hex()}"
        )
        self._findings.note(first, told)

    def compare(self, own: FullTile, stored: bytes | None) -> None:
        """Compare a tile with the one that is stored."""
        place = f"tile {own.level}/{own.tile_index}"
        reach = 1 << _HEIGHT * own.level
        first = own.tile_index * WIDTH * reach
        if stored is None:
            self._findings.note(first, f"its stored {place} is missing")
        elif stored != own.data:
            at = _first_difference(own.data, stored)
            self._wrong_from = first + at * reach if self._wrong_from is None else self._wrong_from
            hashes = own.data[at * HASH_BYTES :][:HASH_BYTES], stored[at * HASH_BYTES :][:HASH_BYTES]
            told = f"its hash is {hashes[0].hex()}, at {at} of {place} stands {hashes[1].hex()}"
            self._findings.note(first + at * reach, told)


def _first_difference(one: bytes, other: bytes) -> int:
    places = range(0, len(one), HASH_BYTES)
    differing = (n for n, at in enumerate(places) if one[at : at + HASH_BYTES] != other[at : at + HASH_BYTES])
    # None does if the other is longer and begins the same.
    return next(differing, 0)
