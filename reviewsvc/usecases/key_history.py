"""The signing keys as their history says: which is good from when to when."""

from collections.abc import Iterable
from typing import NamedTuple

from reviewsvc.crypto.notes import MLDSA44, NoteError, Verifier, parse_verifier
from reviewsvc.domain.projections import SigningKeyRow


class KeyHistoryError(NoteError):
    """The table of signing keys holds what is none; the text says which."""


class SigningKey(NamedTuple):
    """A key as the last word on it says; times are microseconds, the end is None while none is set."""

    verifier: Verifier
    valid_from: int
    valid_until: int | None

    @property
    def is_second(self) -> bool:
        """Say whether it makes the second signature, which the root log alone carries."""
        return self.verifier.kind == MLDSA44

    def is_good(self, at_us: int, until_us: int | None = None) -> bool:
        """Say whether it is good at a moment, and still at a later one if one is given."""
        end = at_us if until_us is None else until_us
        return self.valid_from <= at_us and (self.valid_until is None or end < self.valid_until)


def read_history(rows: Iterable[SigningKeyRow]) -> list[SigningKey]:
    """Make the keys of all that was said of them in order: the last word on each holds; the newest first."""
    found: dict[str, SigningKey] = {}
    for row in rows:
        found[row.vkey] = SigningKey(_verifier(row), row.valid_from, row.valid_until)
    return list(reversed(found.values()))


def _verifier(row: SigningKeyRow) -> Verifier:
    try:
        return parse_verifier(row.vkey)
    except NoteError as fault:
        raise KeyHistoryError(
            f"the table of signing keys holds {row.vkey[:40]!r}, which is none ({fault}): run `reviewsvc "
            "audit verify`, and put the row back from a backup"
        ) from fault
