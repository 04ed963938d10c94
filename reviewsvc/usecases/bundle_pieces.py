"""A log's part of a bundle, and which of its entries were picked; any process may read them."""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.domain.bundle import Scope

_READ: Final = 4_096 * 8


class Piece(Struct, frozen=True):
    """A log's part of a bundle."""

    log_id: int
    kind: str
    model: str | None
    note: str
    scope: Scope

    @property
    def sealed(self) -> SealedLog:
        """The log as far as this bundle has it."""
        scope = self.scope
        return SealedLog(self.log_id, scope.name, self.kind, scope.size, bytes.fromhex(scope.root), self.note)


def all_picked(folder: Path, log_id: int) -> Iterator[int]:
    """Yield the seqs that were picked of a log, in order."""
    with (folder / f"{log_id}.picks").open("rb") as stream:
        while data := stream.read(_READ):
            yield from array("q", data)


def picked(folder: Path, log_id: int, begin: int, end: int) -> Sequence[int]:
    """Return some of them, from one place among them to before another."""
    seqs = array("q")
    with (folder / f"{log_id}.picks").open("rb") as stream:
        stream.seek(begin * seqs.itemsize)
        seqs.frombytes(stream.read((end - begin) * seqs.itemsize))
    return seqs
