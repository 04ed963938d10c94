"""The Merkle tree of RFC 6962 over leaf hashes: roots, frontiers, proofs and their verification."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias

EMPTY_ROOT = sha256(b"").digest()
_NODE = b"\x01"

# (level, index) gives the hash of the complete subtree over leaves index * 2^level to (index + 1) * 2^level
ReadNode: TypeAlias = Callable[[int, int], bytes]
Emit: TypeAlias = Callable[[int, int, Sequence[bytes]], None]


class ProofError(ValueError):
    """A proof does not show what it should; the text says which."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append and to know the root, in at most 64 hashes."""

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        """Continue from `size` leaves and the complete subtrees that they fall into, largest first."""
        if len(nodes) != size.bit_count():
            raise ProofError(f"a tree of {size} leaves has {size.bit_count()} subtrees, not {len(nodes)}")
        self.size = size
        left = list(nodes)
        self._pending = [left.pop() if size >> level & 1 else None for level in range(size.bit_length())]

    @property
    def nodes(self) -> list[bytes]:
        """The complete subtrees, largest first."""
        return [node for node in reversed(self._pending) if node is not None]

    def extend(self, leaves: Iterable[bytes], emit: Emit | None = None) -> None:
        """Append leaf hashes; `emit` is told every new complete subtree as (level, first index, hashes)."""
        nodes = list(leaves)
        first = self.size
        self.size += len(nodes)
        level = 0
        while nodes:
            if emit is not None:
                emit(level, first, nodes)
            if level == len(self._pending):
                self._pending.append(None)
            kept = self._pending[level]
            row = nodes if kept is None else [kept, *nodes]
            self._pending[level] = row[-1] if len(row) % 2 else None
            pairs = zip(row[::2], row[1::2], strict=False)
            nodes = [sha256(_NODE + left + right).digest() for left, right in pairs]
            first >>= 1
            level += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _fold(self.nodes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """Prove that leaf `index` is in the tree of `size` leaves: hashes from the leaf up (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size} leaves")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range(middle, high, read))
            high = middle
        else:
            proof.append(_range(low, middle, read))
            low = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """Prove that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves cannot begin with {old} leaves")
    if old in {0, new}:
        return []
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range(middle, high, read))
            high = middle
        else:
            proof.append(_range(low, middle, read))
            low, whole = middle, False
    if not whole:
        proof.append(_range(low, high, read))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless the proof leads from the leaf hash to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size} leaves")
    node = leaf
    for each, is_left in _climb(index, size - 1, proof):
        node = node_hash(each, node) if is_left else node_hash(node, each)
    if node != root:
        raise ProofError("the inclusion proof does not lead to this root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the proof shows the old root to be a prefix (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves cannot begin with {old} leaves")
    if old in {0, new}:
        _verify_trivial(old, new, old_root, new_root, proof)
        return
    if not proof:
        raise ProofError("the proof is too short")
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    before = after = path[0]
    for each, is_left in _climb(place, last, path[1:]):
        if is_left:
            before, after = node_hash(each, before), node_hash(each, after)
        else:
            after = node_hash(after, each)
    if before != old_root:
        raise ProofError("the consistency proof does not lead to the old root")
    if after != new_root:
        raise ProofError("the consistency proof does not lead to the new root")


def _climb(place: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash of a proof and whether it stands left of the path from leaf `place` of `last` + 1."""
    for each in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        is_left = bool(place & 1) or place == last
        yield each, is_left
        while is_left and place and not place & 1:
            place >>= 1
            last >>= 1
        place >>= 1
        last >>= 1
    if last:
        raise ProofError("the proof is too short")


def _verify_trivial(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError("the proof must be empty")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("the old root is not that of the empty tree")
    if new == 0 and new_root != EMPTY_ROOT:
        raise ProofError("the new root is not that of the empty tree")
    if old == new and old_root != new_root:
        raise ProofError(f"two different roots for {new} leaves")


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least two."""
    return 1 << (size - 1).bit_length() - 1


def _range(low: int, high: int, read: ReadNode) -> bytes:
    """The hash over leaves `low` to `high`, where `low` is a multiple of a power of two that covers them."""
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append(read(level, low >> level))
        low += 1 << level
    return _fold(nodes)


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Hash complete subtrees, largest first, into their root."""
    if not nodes:
        return EMPTY_ROOT
    root = nodes[-1]
    for node in reversed(nodes[:-1]):
        root = node_hash(node, root)
    return root
