"""A contract compiled, so that a prediction that keeps it is checked at C speed."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, ValidationError, defstruct
from msgspec.json import Decoder

from reviewsvc.domain.contract import Contract, InputField, class_names
from reviewsvc.domain.contract_choices import LARGEST, SMALLEST
from reviewsvc.domain.contract_examine import examine
from reviewsvc.domain.contract_faults import NO_VIOLATIONS, Violations, violations_of
from reviewsvc.domain.events import Event


class Checked(Struct, gc=False):
    """What the contract says of one prediction.

    `values` has the input fields as attributes `f0`, `f1` ... in the contract's order: UNSET if not sent,
    None if null or of the wrong type. `label`, `segment` and `version` are codes (indexes in the contract),
    None if the contract does not know them. `confidence` is the event's, else the score of its label; None if
    it is not from 0 to 1.
    """

    values: Any
    label: int | None
    segment: int | None
    version: int | None
    confidence: float | None
    violations: Violations = NO_VIOLATIONS


class CompiledContract:
    """A contract ready to check predictions; `check` costs about a microsecond for one that keeps it."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.classes = class_names(contract.output)
        self.labels = _codes(self.classes)
        self.segments = _codes(contract.segments)
        self.versions = _codes(contract.versions)
        self.places = _codes(tuple(field.name for field in contract.fields))
        self._values = _struct(contract)
        self._decode = Decoder(self._values).decode
        self._shape = contract.output.type
        self.answers_number = self._shape == "number"
        self._low = -math.inf if contract.output.min is None else contract.output.min
        self._high = math.inf if contract.output.max is None else contract.output.max
        self._needs_confidence = contract.output.confidence == "required"
        self._needs_scores = contract.output.scores == "required"

    def check(self, event: Event) -> Checked:
        """Check one prediction against the contract; never raises for anything that was sent."""
        output = event.output
        label = self.labels.get(output.label) if output.label else None
        segment = self.segments.get(event.segment) if event.segment else None
        version = self.versions.get(event.model.version)
        confidence = output.confidence
        if confidence is None and output.scores and output.label:
            confidence = output.scores.get(output.label)
        try:
            values = self._decode(event.input)
        except (ValidationError, DecodeError):
            values = None
        checked = Checked(values, label, segment, version, confidence)
        if values is None or not self._is_kept(event, checked):
            self._list_faults(event, checked)
        return checked

    def _is_kept(self, event: Event, checked: Checked) -> bool:
        output = event.output
        if self._shape == "class":
            answered = checked.label is not None
        elif self._shape == "number":
            answered = output.value is not None and self._low <= output.value <= self._high
        else:
            answered = output.text is not None
        confidence = checked.confidence
        return (
            answered
            and (0.0 <= confidence <= 1.0 if confidence is not None else not self._needs_confidence)
            and (not self._needs_scores if output.scores is None else self._are_scores(output.scores))
            and (checked.segment is not None or not event.segment or not self.segments)
            and (checked.version is not None or not self.versions)
        )

    def _are_scores(self, scores: dict[str, float]) -> bool:
        known = not self.labels or self.labels.keys() >= scores.keys()
        return known and all(0.0 <= score <= 1.0 for score in scores.values())

    def _list_faults(self, event: Event, checked: Checked) -> None:
        values, faults = examine(self.contract, event, checked.confidence)
        checked.values = self._values(**{f"f{place}": value for place, value in enumerate(values)})
        checked.violations = violations_of(faults)
        if checked.confidence is not None and not 0.0 <= checked.confidence <= 1.0:
            checked.confidence = None


def compile_contract(contract: Contract) -> CompiledContract:
    """Make a contract ready to check predictions; takes milliseconds, once per version."""
    return CompiledContract(contract)


def _codes(names: tuple[str, ...]) -> dict[str, int]:
    return {name: code for code, name in enumerate(names)}


def _struct(contract: Contract) -> type[Any]:
    return defstruct(
        "Input",
        [_member(place, field) for place, field in enumerate(contract.fields)],
        rename={f"f{place}": field.name for place, field in enumerate(contract.fields)},
        forbid_unknown_fields=contract.other_fields == "refused",
        kw_only=True,
        gc=False,
    )


def _member(place: int, field: InputField) -> Any:  # noqa: ANN401 - defstruct takes pairs and triples of anything
    kind = _TYPES[field.type](field)
    if field.nullable and field.type != "json":
        kind = kind | None
    if field.required:
        return (f"f{place}", kind)
    return (f"f{place}", kind | UnsetType, UNSET)


def _integer(field: InputField) -> Any:  # noqa: ANN401 - a type made of the contract
    low = SMALLEST if field.min is None else field.min
    return Annotated[int, Meta(ge=low, le=LARGEST if field.max is None else field.max)]


def _number(field: InputField) -> Any:  # noqa: ANN401 - a type made of the contract
    low = None if field.min is None else float(field.min)
    return Annotated[float, Meta(ge=low, le=None if field.max is None else float(field.max))]


def _string(field: InputField) -> Any:  # noqa: ANN401 - a type made of the contract
    return str if field.max_length is None else Annotated[str, Meta(max_length=field.max_length)]


def _category(field: InputField) -> Any:  # noqa: ANN401 - a type made of the contract
    return Literal[tuple(choice.value for choice in field.values)]


_TYPES: dict[str, Callable[[InputField], Any]] = {
    "integer": _integer,
    "number": _number,
    "string": _string,
    "category": _category,
    "boolean": lambda _: bool,
    "json": lambda _: Raw,
}
