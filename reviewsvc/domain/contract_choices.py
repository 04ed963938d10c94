"""The values that may stand in a place of a contract: a model's classes, a category's values."""

from msgspec import Struct

from reviewsvc.domain.document import REQUIRED, Fields, is_text

SMALLEST, LARGEST = -(2**63), 2**63 - 1
_SHORT = 200


class Choice(Struct, frozen=True):
    """One value that may stand in a place, with the words for it; its code is its index."""

    value: str | int
    label: str


def read_choices(read: Fields, key: str, *, numbers: bool) -> tuple[Choice, ...]:
    """Read a list of different texts, or of texts and whole numbers, each with a label or without."""
    what = "a text or a whole number" if numbers else f"a text of 1 to {_SHORT} characters"
    found: dict[str | int, Choice] = {}
    for place, one in enumerate(read.items(key, key)):
        inner = read.below(one if isinstance(one, dict) else {"value": one}, key, place)
        value = inner.checked(
            "value", REQUIRED, what, f"?{place}", _is_number_or_text if numbers else _is_short
        )
        if value in found:
            read.fault(f"{key} that differ", value, key, place)
        found[value] = Choice(value, inner.text("label", str(value), longest=_SHORT))
        inner.finish()
    return tuple(found.values())


def _is_short(value: object) -> bool:
    return is_text(value, _SHORT)


def _is_number_or_text(value: object) -> bool:
    return (type(value) is int and SMALLEST <= value <= LARGEST) or _is_short(value)
