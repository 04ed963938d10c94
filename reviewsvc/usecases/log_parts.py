"""Cuts logs into pieces that can be verified apart, and joins what came of them where they meet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import structs

from reviewsvc.domain.verdict import LogReport
from reviewsvc.usecases.log_check import CHUNK, Part, Piece
from reviewsvc.usecases.projection_check import Known

PIECE: Final = 8 * CHUNK


def cut(piece: Piece, length: int = PIECE, *, projections: bool) -> list[Piece]:
    """Cut a long piece at multiples of `length`, itself a multiple of CHUNK.

    The rows of activity are one story that is followed as a whole; what begins at a checkpoint stays whole.
    """
    is_whole = piece.start is not None or (projections and piece.head.kind == "activity")
    if is_whole or piece.behind <= length:
        return [piece]
    begins = range(0, piece.behind, length)
    return [Piece(piece.head, None, min(begin + length, piece.behind), begin) for begin in begins]


def joined(parts: Sequence[Part | None]) -> LogReport | None:
    """The report of a log that all of its parts make; None if anything is wrong in one or between two.

    Equal roots over equal sizes are of equal entries: where a part went on from stored tiles, the part before
    has recomputed the same tree from its entries.
    """
    sure = [part for part in parts if part is not None and _holds(part)]
    if not parts or len(sure) < len(parts) or not all(_meet(one, next_) for one, next_ in pairwise(sure)):
        return None
    last = sure[-1].report
    return structs.replace(
        last,
        size=sum(part.report.size for part in sure),
        first=sure[0].report.first,
        unknown_kinds=list(dict.fromkeys(kind for part in sure for kind in part.report.unknown_kinds)),
        seal=next((part.report.seal for part in reversed(sure) if part.report.seal), ""),
    )


def is_vouched(parts: Iterable[Part | None]) -> bool:
    """Say whether a key from outside signed the last checkpoint that the parts have."""
    told = [part.vouched for part in parts if part is not None and part.vouched is not None]
    return bool(told and told[-1])


def added(counts: Iterable[Mapping[tuple[str, str, str], int]]) -> Known:
    """Add up what was counted apart."""
    total: Known = defaultdict(int)
    for each in counts:
        for place, count in each.items():
            total[place] += count
    return dict(total)


def _holds(part: Part) -> bool:
    return not part.report.findings and not part.report.more_findings and part.is_resumed


def _meet(one: Part, behind: Part) -> bool:
    is_chained = one.end.last_hash == behind.begin.last_hash
    return is_chained and behind.begin.tree in {None, one.end.tree}
