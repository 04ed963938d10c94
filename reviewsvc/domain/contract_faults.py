"""What can be wrong with a prediction under its model's contract, field by field."""

import enum
import json
import math
from collections.abc import Callable

from msgspec import UNSET, Struct

from reviewsvc.domain.contract import Contract, InputField
from reviewsvc.domain.contract_choices import LARGEST, SMALLEST

MOST_FAULTS = 16
MOST_COUNTED = 32_767
LABEL, VALUE, TEXT, CONFIDENCE, SCORES, SEGMENT, VERSION, INPUT = range(-1, -9, -1)
_PLACES = {
    LABEL: "output.label",
    VALUE: "output.value",
    TEXT: "output.text",
    CONFIDENCE: "output.confidence",
    SCORES: "output.scores",
    SEGMENT: "segment",
    VERSION: "model.version",
    INPUT: "input",
}


class FieldCode(enum.StrEnum):
    """How a field breaks the contract."""

    MISSING = "missing"
    NULL = "null"
    WRONG_TYPE = "wrong_type"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    NOT_FINITE = "not_finite"
    TOO_LONG = "too_long"
    UNKNOWN_VALUE = "unknown_value"
    UNKNOWN_FIELD = "unknown_field"
    NOT_AN_OBJECT = "not_an_object"


class FieldFault(Struct, frozen=True, gc=False):
    """One broken promise. `field` is the index of the contract's field, negative for what is no input.

    `field` and `code` are facts; `text` repeats what was sent and belongs into the payload.
    """

    field: int
    code: FieldCode
    text: str


class Violations(Struct, frozen=True, gc=False):
    """All broken promises of one prediction: the first 16, and how many there are (32,767 at most)."""

    faults: tuple[FieldFault, ...] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def facts(self) -> list[tuple[int, str]]:
        """List (index of the field, code), which hold nothing of the event."""
        return [(fault.field, fault.code.value) for fault in self.faults]


NO_VIOLATIONS = Violations()


def violations_of(faults: list[FieldFault]) -> Violations:
    """Keep at most 16 faults, and the count of all, which must fit 16 bits."""
    if not faults:
        return NO_VIOLATIONS
    return Violations(tuple(faults[:MOST_FAULTS]), min(len(faults), MOST_COUNTED))


def place_names(contract: Contract) -> dict[str, int]:
    """Map the names of all places that may break the contract to their indexes."""
    fields = {f"input.{field.name}": place for place, field in enumerate(contract.fields)}
    return fields | {name: place for place, name in _PLACES.items()}


def place_name(contract: Contract, field: int) -> str:
    """Name the place that a fault's index means: `input.income`, `output.label`."""
    return _PLACES[field] if field < 0 else f"input.{contract.fields[field].name}"


def field_fault(index: int, field: InputField, value: object) -> FieldFault | None:
    """Check one field's value, as JSON gave it; UNSET if it was not sent."""
    if value is UNSET:
        return fault_at(index, FieldCode.MISSING, "a value", value) if field.required else None
    if value is None:
        return None if field.nullable else fault_at(index, FieldCode.NULL, "a value", value)
    return _TYPE_FAULT[field.type](index, field, value)


def _integer_fault(index: int, field: InputField, value: object) -> FieldFault | None:
    if type(value) is not int:
        return fault_at(index, FieldCode.WRONG_TYPE, "a whole number", value)
    low = SMALLEST if field.min is None else field.min
    return range_fault(index, value, low, LARGEST if field.max is None else field.max)


def _number_fault(index: int, field: InputField, value: object) -> FieldFault | None:
    if type(value) is not int and type(value) is not float:
        return fault_at(index, FieldCode.WRONG_TYPE, "a number", value)
    number = _as_float(value)
    if math.isinf(number):
        return fault_at(index, FieldCode.NOT_FINITE, "a finite number", value)
    low = -math.inf if field.min is None else field.min
    return range_fault(index, number, low, math.inf if field.max is None else field.max)


def range_fault(index: int, value: float, low: float, high: float) -> FieldFault | None:
    """Check a number's range, both ends included."""
    if value < low:
        return fault_at(index, FieldCode.BELOW_MIN, f"at least {low}", value)
    if value > high:
        return fault_at(index, FieldCode.ABOVE_MAX, f"at most {high}", value)
    return None


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _string_fault(index: int, field: InputField, value: object) -> FieldFault | None:
    if not isinstance(value, str):
        return fault_at(index, FieldCode.WRONG_TYPE, "a text", value)
    if field.max_length is not None and len(value) > field.max_length:
        return fault_at(index, FieldCode.TOO_LONG, f"at most {field.max_length} characters", value)
    return None


def _category_fault(index: int, field: InputField, value: object) -> FieldFault | None:
    values = [choice.value for choice in field.values]
    if type(value) not in (int, str):
        return fault_at(index, FieldCode.WRONG_TYPE, "one of the contract's values", value)
    if value not in values:
        return fault_at(index, FieldCode.UNKNOWN_VALUE, f"one of {', '.join(map(str, values))}", value)
    return None


def _boolean_fault(index: int, _field: InputField, value: object) -> FieldFault | None:
    if isinstance(value, bool):
        return None
    return fault_at(index, FieldCode.WRONG_TYPE, "true or false", value)


def _no_fault(_index: int, _field: InputField, _value: object) -> None:
    return None


_TYPE_FAULT: dict[str, Callable[[int, InputField, object], FieldFault | None]] = {
    "integer": _integer_fault,
    "number": _number_fault,
    "string": _string_fault,
    "category": _category_fault,
    "boolean": _boolean_fault,
    "json": _no_fault,
}
_SHOWN = 120


def fault_at(index: int, code: FieldCode, expected: str, value: object) -> FieldFault:
    """Make a fault whose text says what was expected and what was sent; UNSET is nothing."""
    return FieldFault(index, code, f"expected {expected}, got {shown(value)}")


def shown(value: object) -> str:
    """Write a value that was sent, cut to a readable length."""
    if value is UNSET:
        return "nothing"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:
        text = "an integer of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
