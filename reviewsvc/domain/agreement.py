"""What a set of answers to one task amounts to."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct


class Answer(Struct, frozen=True):
    """What a reviewer says: a class, a number or a text."""

    label: str | None = None
    value: float | None = None
    text: str | None = None


class Given(Struct, frozen=True):
    """A decision as given; `slot_id` is None for an adjudication, `at` is in microseconds."""

    decision: UUID
    reviewer: UUID
    answer: Answer
    at: int
    slot_id: int | None = None
    is_retracted: bool = False


def ruling(given: Sequence[Given]) -> Given | None:
    """The adjudication, or None if there is none."""
    return next((one for one in given if one.slot_id is None), None)


def winner(given: Sequence[Given], needed: int) -> Given | None:
    """The decision that made `needed` answers alike, in the order in which they came, or None."""
    counts: Counter[Answer] = Counter()
    for one in _live(given):
        counts[one.answer] += 1
        if counts[one.answer] == needed:
            return one
    return None


def wanted(given: Sequence[Given], needed: int, most: int) -> int:
    """How many more answers are wanted: until `needed` were given, then one by one up to `most`."""
    if ruling(given) or winner(given, needed):
        return 0
    answers = len(_live(given))
    return max(needed - answers, 1 if answers < most else 0)


def _live(given: Sequence[Given]) -> list[Given]:
    return [one for one in given if not one.is_retracted and one.slot_id is not None]
