"""The right edge of a log's tree, in tiles: enough to go on, to cut full tiles, and to prove each step."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reviewsvc.domain.tiles import WIDTH
from reviewsvc.domain.tree import Frontier, ProofError, ReadNode, consistency_proof, root_of

_HEIGHT = 8


class FullTile(NamedTuple):
    """A tile that has become full: its level, its index there, its 256 hashes one behind the other."""

    level: int
    tile_index: int
    data: bytes


class Step(NamedTuple):
    """What an extension brought: the tiles that became full, and the proof that the old tree is a prefix."""

    tiles: list[FullTile]
    proof: list[bytes]


def partial_widths(size: int) -> list[int]:
    """How many hashes the partial tile of each level has in a log of `size` entries, level 0 first."""
    levels = -(-size.bit_length() // _HEIGHT)
    return [size >> _HEIGHT * level & (WIDTH - 1) for level in range(levels)]


class Edge:
    """The hashes of a log's partial tiles, level by level."""

    def __init__(self, size: int = 0, partials: Sequence[Sequence[bytes]] = ()) -> None:
        """Go on from a log of `size` entries and its partial tiles, level 0 first, empty ones too."""
        if [len(each) for each in partials] != partial_widths(size):
            raise ProofError(f"these are not the partial tiles of a log of {size} entries")
        self._rows = [list(each) for each in partials]
        self._frontier = Frontier(size, [node for row in reversed(self._rows) for node in _subtrees(row)])

    @property
    def size(self) -> int:
        """How many entries it stands behind."""
        return self._frontier.size

    def root(self) -> bytes:
        """The root over all of them."""
        return self._frontier.root()

    def extend(self, leaves: Iterable[bytes]) -> Step:
        """Append leaf hashes; takes memory for all of them, so that a long log is brought in by parts."""
        old = self.size
        kept = _places(old, self._frontier.nodes)
        new: dict[int, tuple[int, Sequence[bytes]]] = {}
        self._frontier.extend(leaves, lambda level, first, nodes: new.update({level: (first, nodes)}))
        tiles = [
            tile
            for level in range(0, max(new, default=-1) + 1, _HEIGHT)
            for tile in self._fill(level // _HEIGHT, *new[level])
        ]
        return Step(tiles, consistency_proof(old, self.size, _reader(kept, new)))

    def _fill(self, level: int, first: int, nodes: Sequence[bytes]) -> list[FullTile]:
        if level == len(self._rows):
            self._rows.append([])
        row = [*self._rows[level], *nodes]
        begin = first // WIDTH
        full = len(row) // WIDTH
        self._rows[level] = row[full * WIDTH :]
        return [FullTile(level, begin + n, b"".join(row[n * WIDTH : (n + 1) * WIDTH])) for n in range(full)]


def _subtrees(row: Sequence[bytes]) -> list[bytes]:
    """The complete subtrees that a partial tile's hashes fall into, largest first."""
    found, at = [], 0
    for height in reversed(range(_HEIGHT)):
        if len(row) >> height & 1:
            found.append(root_of(row[at : at + (1 << height)]))
            at += 1 << height
    return found


def _places(size: int, nodes: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return {(level, (size >> level) - 1): node for level, node in zip(levels, nodes, strict=True)}


def _reader(kept: dict[tuple[int, int], bytes], new: dict[int, tuple[int, Sequence[bytes]]]) -> ReadNode:
    """Read nodes of the old right edge or of what came behind it: a step's proof is made of no others."""

    def read(level: int, index: int) -> bytes:
        found = kept.get((level, index))
        if found is not None:
            return found
        first, nodes = new[level]
        return nodes[index - first]

    return read
