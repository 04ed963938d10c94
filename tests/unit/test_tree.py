from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tree import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    ReadNode,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.tlog_vectors import entry, vectors

pytestmark = pytest.mark.unit

SIZES = st.integers(0, 300)


@cache
def leaves(size: int) -> tuple[bytes, ...]:
    return tuple(leaf_hash(entry(index)) for index in range(size))


def reader(of: tuple[bytes, ...]) -> ReadNode:
    @cache
    def node(level: int, index: int) -> bytes:
        return root_of(of[index << level : (index + 1) << level])

    return node


def by_definition(of: tuple[bytes, ...]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not of:
        return sha256(b"").digest()
    if len(of) == 1:
        return of[0]
    k = 1
    while k * 2 < len(of):
        k *= 2
    return sha256(b"\x01" + by_definition(of[:k]) + by_definition(of[k:])).digest()


@given(size=SIZES)
def test_a_root_is_the_specifications(size: int) -> None:
    assert root_of(leaves(size)) == by_definition(leaves(size))


@given(size=SIZES, steps=st.lists(st.integers(0, 60)))
def test_a_frontier_does_not_depend_on_the_steps_nor_on_being_stored(size: int, steps: list[int]) -> None:
    frontier, at = Frontier(), 0
    for step in [*steps, size]:
        frontier = Frontier(frontier.size, frontier.nodes)
        frontier.extend(leaves(size)[at : at + step])
        at = min(size, at + step)
    assert (frontier.size, frontier.root()) == (size, root_of(leaves(size)))


@given(size=SIZES, start=SIZES)
def test_new_subtrees_are_told_with_their_places(size: int, start: int) -> None:
    start = min(start, size)
    frontier = Frontier()
    frontier.extend(leaves(start))
    told: dict[tuple[int, int], bytes] = {}

    def emit(level: int, first: int, nodes: Sequence[bytes]) -> None:
        told.update({(level, first + number): node for number, node in enumerate(nodes)})

    frontier.extend(leaves(size)[start:], emit)
    node = reader(leaves(size))
    wanted = {
        (level, index): node(level, index)
        for level in range(10)
        for index in range(start >> level, size >> level)
    }
    assert told == wanted


@given(size=st.integers(1, 300), data=st.data())
def test_every_leaf_is_proved_and_no_other_in_its_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = root_of(leaves(size))
    proof = inclusion_proof(index, size, reader(leaves(size)))
    verify_inclusion(leaves(size)[index], index, size, proof, root)
    for wrong in ((b"x" * 32, index, proof), (leaves(size)[index], index, [*proof, b"x" * 32])):
        with pytest.raises(ProofError):
            verify_inclusion(wrong[0], wrong[1], size, wrong[2], root)
    if size > 1:
        with pytest.raises(ProofError):
            verify_inclusion(leaves(size)[index], (index + 1) % size, size, proof, root)
        with pytest.raises(ProofError):
            verify_inclusion(leaves(size)[index], index, size, proof[:-1], root)


@given(old=SIZES, new=SIZES)
def test_a_prefix_is_proved_and_no_other_tree(old: int, new: int) -> None:
    old, new = sorted((old, new))
    roots = root_of(leaves(old)), root_of(leaves(new))
    proof = consistency_proof(old, new, reader(leaves(new)))
    verify_consistency(old, new, *roots, proof)
    with pytest.raises(ProofError):
        verify_consistency(old, new, *roots, [*proof, b"x" * 32])
    if 0 < old < new:
        with pytest.raises(ProofError):
            verify_consistency(old, new, *roots, proof[:-1])
        for wrong in ((b"x" * 32, roots[1]), (roots[0], b"x" * 32)):
            with pytest.raises(ProofError):
                verify_consistency(old, new, *wrong, proof)


@given(proof=st.lists(st.binary(min_size=32, max_size=32), max_size=70), sizes=st.tuples(SIZES, SIZES))
def test_a_made_up_proof_is_refused(proof: list[bytes], sizes: tuple[int, int]) -> None:
    with pytest.raises(ProofError):
        verify_consistency(*sizes, b"a" * 32, b"b" * 32, proof)
    with pytest.raises(ProofError):
        verify_inclusion(b"a" * 32, *sizes, proof, b"b" * 32)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        inclusion_proof(index, size, reader(leaves(3)))
    with pytest.raises(ProofError):
        verify_inclusion(b"", index, size, [], EMPTY_ROOT)


def test_roots_and_proofs_are_those_of_others_libraries() -> None:
    many = leaves(70_000)
    node = reader(many)
    for each in vectors("checkpoints")["checkpoints"]:
        assert root_of(many[: each["size"]]).hex() == each["root_hex"]
    for each in vectors("inclusion"):
        proof = [b64decode(text) for text in each["proof"]]
        assert inclusion_proof(each["index"], each["size"], node) == proof
        root = root_of(many[: each["size"]]) if each["size"] < 600 else None
        if root is not None:
            verify_inclusion(b64decode(each["leaf_hash_base64"]), each["index"], each["size"], proof, root)
    for each in vectors("consistency")["cases"]:
        proof = [b64decode(text) for text in each["proof"]]
        assert consistency_proof(each["old"], each["new"], node) == proof
        roots = b64decode(each["old_root_base64"]), b64decode(each["new_root_base64"])
        verify_consistency(each["old"], each["new"], *roots, proof)
