from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tiles import (
    Tile,
    TileError,
    bundles_of,
    encode_bundle,
    nodes_from,
    nodes_from_rows,
    parse_bundle,
    parse_hashes,
    parse_path,
    rows_of,
    tiles_of,
)
from reviewsvc.domain.tree import (
    Frontier,
    ReadNode,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.tlog_vectors import entry, vectors

pytestmark = pytest.mark.unit

LEAVES = [leaf_hash(entry(index)) for index in range(70_000)]


def written(size: int) -> dict[str, bytes]:
    """Every tile of a log of so many entries, as a writer of tiles would keep them."""
    rows: dict[int, list[bytes]] = {}
    frontier = Frontier()
    frontier.extend(LEAVES[:size], lambda level, _, nodes: rows.setdefault(level, []).extend(nodes))
    return {
        tile.path(): b"".join(rows[8 * (tile.level or 0)][256 * tile.index : 256 * tile.index + tile.width])
        for tile in tiles_of(size)
    }


def test_tiles_are_those_of_others_libraries() -> None:
    for tree in vectors("tiles")["trees"]:
        ours = written(tree["size"])
        theirs = {each["path"]: each["sha256"] for each in tree["tiles"]}
        found = {path: sha256(data).hexdigest() for path, data in ours.items()}
        assert theirs.items() <= found.items()
        if tree["size"] < 70_000:
            assert theirs == found


def test_bundles_are_those_of_others_libraries() -> None:
    for each in vectors("tiles")["entry_bundles"]:
        data = encode_bundle([entry(index) for index in range(each["from"], each["to"])])
        assert (len(data), sha256(data).hexdigest()) == (each["bytes"], each["sha256"])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 65_536, 65_537, 70_000])
def test_proofs_read_from_tiles_hold(size: int) -> None:
    tiles = written(size)
    node: ReadNode = nodes_from(size, lambda tile: tiles[tile.path()])
    root = root_of(LEAVES[:size])
    rows = nodes_from_rows(size, lambda tile: rows_of(tiles[tile.path()]))
    for index in {0, size // 3, size - 1}:
        assert inclusion_proof(index, size, rows) == inclusion_proof(index, size, node)
        verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, node), root)
    for old in {1, size // 2, size - 1}:
        proof = consistency_proof(old, size, node)
        verify_consistency(old, size, root_of(LEAVES[:old]), root, proof)


@given(old=st.integers(0, 200_000), more=st.integers(0, 200_000))
def test_tiles_since_a_size_are_the_new_ones(old: int, more: int) -> None:
    new = old + more
    assert set(tiles_of(new, old)) == set(tiles_of(new)) - set(tiles_of(old))
    assert [tile.level for tile in bundles_of(new, old)] == [None] * len(list(bundles_of(new, old)))


def test_edges_of_width_are_as_the_specification_says() -> None:
    assert [tile.path() for tile in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert list(tiles_of(0)) == []
    assert Tile(0, 1_234_067).path() == "tile/0/x001/x234/067"
    assert [tile.path() for tile in bundles_of(300, 256)] == ["tile/entries/001.p/44"]


@given(level=st.none() | st.integers(0, 63), index=st.integers(0, 2**40), width=st.integers(1, 256))
def test_a_path_is_read_back(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_path(tile.path()) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/234",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/8/0/000",
        "tile/0/\u0661\u0661\u0661",
        "tile/entries/../000",
        "",
    ],
)
def test_any_other_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(TileError):
        parse_path(path)


@given(entries=st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_is_read_back_in_its_width_alone(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert parse_bundle(data, len(entries)) == entries
    for wrong in (data + b"\0", data[:-1] or b"\0"):
        with pytest.raises(TileError):
            parse_bundle(wrong, len(entries))
    with pytest.raises(TileError):
        parse_bundle(data, len(entries) + 1)


def test_an_entry_may_have_65535_bytes_and_no_more() -> None:
    assert parse_bundle(encode_bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(TileError, match="65535"):
        encode_bundle([b"x" * 65_536])


def test_a_tile_of_hashes_has_its_exact_length() -> None:
    assert parse_hashes(b"a" * 32 + b"b" * 32, 2) == [b"a" * 32, b"b" * 32]
    with pytest.raises(TileError):
        parse_hashes(b"a" * 63, 2)
