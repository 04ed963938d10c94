"""What a set of answers to one task amounts to."""

import math
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from reviewsvc.domain.contract import OutputShape, class_names
from reviewsvc.domain.document import number_rule

LONGEST_TEXT = 50_000
ONE_MORE = 1


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


def most_answers(reviewers: int) -> int:
    """How many people are asked at most: one more than agree if all is well, where several must agree."""
    return reviewers if reviewers == 1 else reviewers + ONE_MORE


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


class AnswerError(ValueError):
    """The answer is none that the model's contract allows."""

    code = "unfit_answer"


def read_answer(shape: OutputShape, raw: object) -> Answer:
    """Read what was sent as an answer of this shape; AnswerError says what is possible."""
    if shape.type == "class":
        classes = class_names(shape)
        if raw not in classes:
            raise AnswerError(f"expected one of {', '.join(classes)}")
        return Answer(label=str(raw))
    if shape.type == "number":
        return Answer(value=_number(shape, raw))
    if not isinstance(raw, str) or not raw.strip() or len(raw) > LONGEST_TEXT or "\0" in raw:
        raise AnswerError(f"expected a text of 1 to {LONGEST_TEXT} characters")
    return Answer(text=plain_text(raw))


def plain_text(text: str) -> str:
    """A text as answers are compared: forms send other ends of lines, and models end with one more."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _number(shape: OutputShape, raw: object) -> float:
    low = -math.inf if shape.min is None else shape.min
    high = math.inf if shape.max is None else shape.max
    try:
        value = float(raw) if isinstance(raw, int | float | str) and raw is not True else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value) or not low <= value <= high:
        raise AnswerError(f"expected {number_rule(low, high)}")
    return value
