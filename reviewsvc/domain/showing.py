"""What a reviewer is shown of a prediction: the answer and its certainty, the choices, what moved it."""

import math

from msgspec import Struct

from reviewsvc.domain.contract import Contract
from reviewsvc.domain.contract_reference import Band, band_of
from reviewsvc.domain.events import Event
from reviewsvc.domain.explanation import read_explanation
from reviewsvc.domain.shares import percent
from reviewsvc.domain.visible import visible

KEYS = "123456789"
_MOST_WEIGHTS = 200
_Z = 1.96
_CERTAIN = 1.0
_TEN_DIGITS = 1e10


class ShownAnswer(Struct, frozen=True):
    """The model's answer; with `blind` nothing of it but its kind and unit.

    `band` is where the share of right answers among those as sure as this one lies, with 95 % confidence.
    """

    kind: str
    blind: bool
    unit: str | None = None
    value: str | float | None = None
    label: str = ""
    confidence: float | None = None
    band: tuple[float, float] | None = None
    band_words: str = ""


class Choice(Struct, frozen=True):
    """A class that can be answered; `key` is the digit that gives it, `score` the model's for it."""

    value: str
    label: str
    key: str = ""
    score: float | None = None
    is_model: bool = False
    about: str = ""


class Weight(Struct, frozen=True):
    """How far an input moved the answer; `part` is from -1 to 1, of the largest."""

    label: str
    text: str
    value: float
    part: float


def show_answer(contract: Contract, event: Event, *, blind: bool) -> ShownAnswer:
    """Show the model's answer, or hide it."""
    shape, output = contract.output, event.output
    if blind:
        return ShownAnswer(shape.type, blind=True, unit=shape.unit)
    value = {"class": output.label, "number": output.value}.get(shape.type, output.text)
    confidence = output.confidence
    if confidence is None and output.scores and output.label:
        confidence = output.scores.get(output.label)
    if confidence is not None and not 0 <= confidence <= 1:
        confidence = None
    band = None if confidence is None else band_of(contract.calibration, confidence)
    return ShownAnswer(
        kind=shape.type,
        blind=False,
        unit=shape.unit,
        value=value,
        label=_label(contract, value),
        confidence=confidence,
        band=None if band is None else wilson(band.right, band.n),
        band_words=_band_words(band),
    )


def show_choices(contract: Contract, event: Event, *, blind: bool) -> tuple[Choice, ...]:
    """Show the classes that can be answered; none unless the answer is a class."""
    scores = {} if blind else event.output.scores or {}
    said = None if blind else event.output.label
    return tuple(
        Choice(
            value=str(choice.value),
            label=choice.label,
            key=KEYS[place] if place < len(KEYS) else "",
            score=scores.get(str(choice.value)),
            is_model=choice.value == said,
        )
        for place, choice in enumerate(contract.output.classes)
    )


def show_weights(contract: Contract, event: Event) -> tuple[Weight, ...]:
    """Show what moved the model, the 200 largest at most; nothing if its producer does not say."""
    explained = read_explanation(event.explanation) if event.explanation else None
    if explained is None or not explained.attributions:
        return ()
    labels = {field.name: field.label for field in contract.fields}
    largest = max(abs(one.value) for one in explained.attributions) or 1.0
    return tuple(
        Weight(
            labels.get(one.feature) or visible(one.feature),
            f"{one.value:+.3g}",
            one.value,
            one.value / largest,
        )
        for one in explained.attributions[:_MOST_WEIGHTS]
    )


def answer_words(contract: Contract, label: str | None, value: float | None) -> str | None:
    """An answer as people read it: its class by its label, or its number; None if it is neither."""
    if label is None:
        return None if value is None else number_words(value)
    return next((choice.label for choice in contract.output.classes if choice.value == label), label)


def number_words(value: float) -> str:
    """A number as people read it: ten digits, and up to fifteen of one that has more before its point."""
    return f"{value + 0.0:,.{10 if abs(value) < _TEN_DIGITS else 15}g}"


def share_words(probability: float | None) -> str | None:
    """Say how likely such a case is to be brought to people; None if that is not known."""
    if not probability:
        return None
    if probability >= _CERTAIN:
        return "Every case like this one is brought to people."
    return (
        f"Of cases like this one, {probability:.3g} in 1 is brought to people; its label weighs as much more."
    )


def wilson(share: float, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a share seen in n trials (Wilson, 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if n <= 0:
        return None
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _band_words(band: Band | None) -> str:
    if band is None or band.n == 0:
        return "How often answers as sure as this one are right is not known."
    return f"Of {band.n:,} answers about as sure as this one, {percent(band.right)} were right."


def _label(contract: Contract, value: str | float | None) -> str:
    if value is None:
        return "no answer"
    known = {choice.value: choice.label for choice in contract.output.classes}
    return known.get(value, str(value)) if isinstance(value, str) else number_words(value)
