from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewsvc.domain.edge import Edge, FullTile, partial_widths
from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tree import Frontier, ProofError, root_of, verify_consistency
from tests.unit.tlog_vectors import entry

pytestmark = pytest.mark.unit

LEAVES = [leaf_hash(entry(index)) for index in range(70_000)]


def grown(row: list[bytes]) -> Iterator[list[bytes]]:
    while row:
        yield row
        row = [root_of(row[at : at + 256]) for at in range(0, len(row) // 256 * 256, 256)]


ROWS = list(grown(LEAVES))


def rows(size: int) -> list[list[bytes]]:
    """All hashes of each level of tiles, level 0 first, by another way than the edge's."""
    return [row[: size >> 8 * level] for level, row in enumerate(ROWS) if size >> 8 * level]


def full_tiles(size: int) -> set[FullTile]:
    return {
        FullTile(level, at // 256, b"".join(row[at : at + 256]))
        for level, row in enumerate(rows(size))
        for at in range(0, len(row) // 256 * 256, 256)
    }


def edge_at(size: int) -> Edge:
    return Edge(size, [row[len(row) // 256 * 256 :] for row in rows(size)])


EDGES = st.sampled_from([256, 65_535, 65_536, 65_792])
SIZES = st.one_of(st.integers(0, 1_030), st.integers(0, 70_000), EDGES)


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(SIZES, min_size=1, max_size=5).map(sorted))
def test_steps_of_any_length_cut_each_full_tile_once_and_prove_themselves(sizes: list[int]) -> None:
    edge = edge_at(sizes[0])
    assert (edge.size, edge.root()) == (sizes[0], root_of(LEAVES[: sizes[0]]))
    cut: list[FullTile] = []
    for old, new in pairwise(sizes):
        before = edge.root()
        step = edge.extend(LEAVES[old:new])
        cut += step.tiles
        assert (edge.size, edge.root()) == (new, root_of(LEAVES[:new]))
        verify_consistency(old, new, before, edge.root(), step.proof)
    assert len(cut) == len(set(cut))
    assert set(cut) == full_tiles(sizes[-1]) - full_tiles(sizes[0])


@settings(deadline=None, max_examples=25)
@given(size=SIZES)
def test_an_edge_is_taken_up_where_a_frontier_stands(size: int) -> None:
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    assert edge_at(size)._frontier.nodes == frontier.nodes


def test_partial_tiles_of_another_size_are_refused() -> None:
    with pytest.raises(ProofError):
        Edge(257, [LEAVES[:2], LEAVES[:1]])
    with pytest.raises(ProofError):
        Edge(256, [[]])
    assert partial_widths(70_000) == [112, 17, 1]
    assert partial_widths(256) == [0, 1]
    assert partial_widths(0) == []
