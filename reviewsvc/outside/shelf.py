"""What a place that keeps checkpoints by size holds of before, held against what it is given now."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from reviewsvc.domain.anchoring import BROKEN, FORK, AnchorError, Head
from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError, parse_checkpoint
from reviewsvc.domain.tree import ProofError, verify_consistency

_NAME: Final = re.compile(r"([0-9]{15,19})\.checkpoint")

# The bytes of a root log's checkpoint of a size.
Read = Callable[[int], bytes]


def name_of(size: int) -> str:
    """The name under which a checkpoint of so many entries is kept, below its log's: by name is by size."""
    return f"{size:015d}.checkpoint"


def sizes_in(names: Iterable[str]) -> list[int]:
    """The sizes of the checkpoints among these names, the smallest first."""
    return sorted(int(found[1]) for found in map(_NAME.fullmatch, names) if found)


def newest_log(names: Iterable[str], log: str) -> str:
    """The newest of a log's incarnations, of these and the one that is named."""
    series, _, mine = log.rpartition("/")
    return f"{series}/{max([int(mine), *(int(name) for name in names if name.isdecimal())])}"


def check(head: Head, log: str, sizes: Sequence[int], read: Read) -> None:
    """Hold what is kept of the newest root log, by sizes in rising order, against the checkpoint to be kept.

    Raises AnchorError if that is more, or another history: with the newest checkpoint, the first that does
    not lead to ours, and the last one that does.
    """
    if not sizes:
        return
    if log != head.log:
        told = f"it has checkpoints of {log}, and what is signed here is {head.log}: a restore is forgotten"
        raise AnchorError(FORK, told, notes=[read(sizes[-1])])
    newest = sizes[-1]
    if newest > head.size:
        why = f"it has a checkpoint of {newest} entries of our root log, and {head.size} are signed here"
    elif not _leads(read, newest, head):
        why = f"its checkpoint of {newest} entries of our root log does not lead to our {head.size}"
    else:
        return
    known = newest if newest > head.size else None
    raise AnchorError(FORK, f"{why}: {_LOST}", known, _telling(head, sizes, read))


_LOST: Final = "a fork, or entries were lost. Stop writing, and find out which"


def _telling(head: Head, sizes: Sequence[int], read: Read) -> list[bytes]:
    """The checkpoints that say where two histories part: those that lead to ours come before all others."""
    known = [size for size in sizes if size <= head.size]
    parted = bisect_left(known, 1, key=lambda size: int(not _leads(read, size, head)))
    places = {*known[parted : parted + 1], *known[max(0, parted - 1) : parted], sizes[-1]}
    return [read(size) for size in sorted(places)]


def _leads(read: Read, size: int, head: Head) -> bool:
    found = _checkpoint(read(size), f"{head.log}/{name_of(size)}")
    if found.origin != head.origin or found.size > head.size:
        return False
    try:
        verify_consistency(found.size, head.size, found.root, head.root, head.prove(found.size))
    except ProofError:
        return False
    return True


def _checkpoint(note: bytes, name: str) -> Checkpoint:
    try:
        return parse_checkpoint(note.rpartition(b"\n\n")[0].decode("ascii") + "\n")
    except (CheckpointError, UnicodeDecodeError) as fault:
        told = f"what it keeps as {name} is no checkpoint of ours ({fault}): move it away"
        raise AnchorError(BROKEN, told) from fault
