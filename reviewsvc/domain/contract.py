"""A model's contract: what its owner promises of every prediction."""

import math
import re

from msgspec import Struct

from reviewsvc.domain.contract_choices import LARGEST, SMALLEST, Choice, read_choices
from reviewsvc.domain.contract_reference import Band, Quantile, read_bands, read_quantiles
from reviewsvc.domain.document import REQUIRED, DocumentError, DocumentFault, Fields

RISK_TIERS = ("low", "limited", "high")
FIELD_TYPES = ("integer", "number", "string", "boolean", "category", "json")
VIEWS = ("value", "text", "image", "json")
NOT_GIVEN = "not given"
_SHORT = 200
_LONGEST_DAYS = 36_500
_FIELD_NAME = re.compile(r"[^\"\\\x00-\x1f\x7f]{1,200}")


class InputField(Struct, frozen=True):
    """One input of the model. `unit` is None for what has none; `unit_reason` says why it is None."""

    name: str
    type: str
    label: str
    description: str = ""
    unit: str | None = None
    unit_reason: str | None = None
    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    values: tuple[Choice, ...] = ()
    nullable: bool = False
    required: bool = True
    view: str = "value"
    section: str = ""
    training: tuple[Quantile, ...] = ()


class OutputShape(Struct, frozen=True):
    """What the model answers: one of `classes`, a number within `min` and `max` in `unit`, or a text."""

    type: str
    classes: tuple[Choice, ...] = ()
    min: float | None = None
    max: float | None = None
    unit: str | None = None
    confidence: str = "optional"
    scores: str = "optional"


class Retention(Struct, frozen=True):
    """A model's retention class: how many days its payloads are kept, and the rows of its predictions.

    `prediction_days` None means that the rows, which hold no payload, are kept for good.
    """

    name: str
    keep_days: int
    prediction_days: int | None = None


class Contract(Struct, frozen=True):
    """A model's contract; fields stand in the order in which people see them."""

    name: str
    owner: str
    risk_tier: str
    retention: Retention
    output: OutputShape
    fields: tuple[InputField, ...]
    title: str = ""
    question: str = ""
    description: str = ""
    versions: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    other_fields: str = "allowed"
    calibration: tuple[Band, ...] = ()


def read_contract(data: object) -> Contract:
    """Read a contract from plain data; DocumentError with every fault, named by its path."""
    faults: list[DocumentFault] = []
    read = Fields(data, (), faults)
    read.choice("kind", ("contract",), "contract")
    name = read.name("name")
    sections = read.texts("sections", "section titles", required=False)
    contract = Contract(
        name=name,
        owner=read.text("owner", longest=_SHORT),
        risk_tier=read.choice("risk_tier", RISK_TIERS),
        retention=_retention(read.inner("retention")),
        output=_output(read.inner("output")),
        fields=_fields(read, sections),
        title=read.text("title", name, longest=_SHORT),
        question=read.text("question", "", longest=500),
        description=read.text("description", ""),
        versions=read.texts("versions", "versions", required=False),
        segments=read.texts("segments", "segments", required=False),
        sections=sections,
        other_fields=read.choice("other_fields", ("allowed", "refused"), "allowed"),
        calibration=read_bands(read),
    )
    read.finish()
    if faults:
        raise DocumentError(faults)
    return contract


def _retention(read: Fields | None) -> Retention:
    found = Retention("", 1)
    if read is not None:
        keep_days = read.whole("keep_days", 1, _LONGEST_DAYS)
        rows = read.whole("prediction_days", 1, _LONGEST_DAYS, None)
        if rows is not None and rows < keep_days:
            read.fault(f"at least keep_days ({keep_days}): rows find payloads", rows, "prediction_days")
        found = Retention(read.name("class"), keep_days, rows)
        read.finish()
    return found


def _output(read: Fields | None) -> OutputShape:
    if read is None:
        return OutputShape("text")
    kind = read.choice("type", ("class", "number", "text"))
    needs = ("required", "optional")
    if kind == "class":
        classes = read_choices(read, "classes", numbers=False)
        confidence = read.choice("confidence", needs, "required")
        found = OutputShape(
            kind, classes, confidence=confidence, scores=read.choice("scores", needs, "optional")
        )
    elif kind == "number":
        low, high = _range(read)
        unit = read.text("unit", None, longest=60)
        confidence = read.choice("confidence", needs, "optional")
        found = OutputShape(kind, min=low, max=high, unit=unit, confidence=confidence)
    else:
        found = OutputShape(kind, confidence=read.choice("confidence", needs, "optional"))
    read.finish()
    return found


def _range(read: Fields) -> tuple[float | None, float | None]:
    low = read.number("min", -math.inf, math.inf, None)
    high = read.number("max", -math.inf, math.inf, None)
    # A bound that is faulty was told already, and is read as minus infinity.
    if low is not None and high is not None and -math.inf < high < low:
        read.fault(f"a number of at least min ({low})", high, "max")
    return low, high


def _fields(read: Fields, sections: tuple[str, ...]) -> tuple[InputField, ...]:
    found: dict[str, InputField] = {}
    for place, one in enumerate(read.items("fields", "fields")):
        field = _field(read.below(one, "fields", place), sections)
        if field.name in found:
            read.fault("names that differ", field.name, "fields", place, "name")
        found[field.name] = field
    return tuple(found.values())


def _field(read: Fields, sections: tuple[str, ...]) -> InputField:
    rule = f"a text of 1 to {_SHORT} characters without quotes or backslashes"
    name = read.checked("name", REQUIRED, rule, "", _is_field_name)
    kind = read.choice("type", FIELD_TYPES)
    low, high = _bounds(read, kind)
    unit, unit_reason = _unit(read, kind)
    field = InputField(
        name=name,
        type=kind,
        label=read.text("label", name, longest=_SHORT),
        description=read.text("description", ""),
        unit=unit,
        unit_reason=unit_reason,
        min=low,
        max=high,
        max_length=read.whole("max_length", 1, 1_000_000, None) if kind == "string" else None,
        values=read_choices(read, "values", numbers=True) if kind == "category" else (),
        nullable=read.flag("nullable", kind == "json"),
        required=read.flag("required", True),  # noqa: FBT003 - the default
        view=_view(read, kind),
        section=read.choice("section", sections, "")
        if sections
        else read.text("section", "", longest=_SHORT),
        training=read_quantiles(read.inner("training", required=False)),
    )
    read.finish()
    return field


def _is_field_name(value: object) -> bool:
    return isinstance(value, str) and _FIELD_NAME.fullmatch(value) is not None


def _bounds(read: Fields, kind: str) -> tuple[float | None, float | None]:
    if kind not in ("integer", "number"):
        return None, None
    low, high = _range(read)
    for key, bound in (("min", low), ("max", high)):
        if (
            kind == "integer"
            and bound is not None
            and not (type(bound) is int and SMALLEST <= bound <= LARGEST)
        ):
            read.fault("a whole number of at most 64 bits, since the field is an integer", bound, key)
    return low, high


def _unit(read: Fields, kind: str) -> tuple[str | None, str | None]:
    if kind not in ("integer", "number"):
        return read.text("unit", None, longest=60), None
    rule = f'a unit, or null (with unit_reason, else "{NOT_GIVEN}" is said)'
    if "unit" not in read.data and read.sound:
        read.fault(rule, None, "unit")
    unit = read.text("unit", None, longest=60)
    reason = read.text("unit_reason", None if unit else NOT_GIVEN, longest=_SHORT)
    if unit and reason:
        read.fault("no reason beside a unit", reason, "unit_reason")
    return unit, reason


def _view(read: Fields, kind: str) -> str:
    allowed = {"string": ("value", "text", "image"), "json": ("json",)}.get(kind, ("value",))
    return read.choice("view", allowed, allowed[0])


def class_names(output: OutputShape) -> tuple[str, ...]:
    """List the classes that a model may answer, in the order of their codes."""
    return tuple(str(choice.value) for choice in output.classes)


def unit_text(field: InputField) -> str:
    """Write a field's unit for people, or why there is none; empty for what needs none."""
    return field.unit or field.unit_reason or ""
