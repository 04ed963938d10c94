"""The slow path of a contract: list everything that is wrong with a prediction that breaks it."""

import json
import math
from typing import Any

from msgspec import UNSET

from reviewsvc.domain import contract_faults as places
from reviewsvc.domain.contract import Contract, OutputShape, class_names
from reviewsvc.domain.contract_faults import FieldCode, FieldFault, fault_at, field_fault, range_fault
from reviewsvc.domain.events import Event, Output

_USELESS = (FieldCode.WRONG_TYPE, FieldCode.NOT_FINITE)
_DIGITS = 400
_HUGE: int = 10**_DIGITS


def input_object(text: str) -> dict[str, Any] | None:
    """Read an input for people and for the list of its faults; None if it is no object.

    The last of two equal keys counts; an integer of more than 400 digits becomes plus or minus 10^400.
    """
    try:
        found = json.loads(text, parse_int=_whole)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _whole(digits: str) -> int:
    if len(digits) <= _DIGITS:
        return int(digits)
    return -_HUGE if digits.startswith("-") else _HUGE


def examine(contract: Contract, event: Event, confidence: float | None) -> tuple[list[Any], list[FieldFault]]:
    """Return the input's values in the contract's order, None for useless ones, and every fault."""
    values, faults = _examine_input(contract, event)
    if event.status == "ok":
        faults += _output_faults(contract.output, event.output, confidence)
    if event.segment and contract.segments and event.segment not in contract.segments:
        faults.append(_unknown(places.SEGMENT, contract.segments, event.segment))
    if contract.versions and event.model.version not in contract.versions:
        faults.append(_unknown(places.VERSION, contract.versions, event.model.version))
    return values, faults


def _examine_input(contract: Contract, event: Event) -> tuple[list[Any], list[FieldFault]]:
    text = bytes(event.input).decode("utf-8", "replace")
    if not text or (text == "null" and event.input_ref):
        return [UNSET] * len(contract.fields), []
    sent = input_object(text)
    if sent is None:
        fault = fault_at(places.INPUT, FieldCode.NOT_AN_OBJECT, "an object", text)
        return [None] * len(contract.fields), [fault]
    values, faults = _examine_fields(contract, sent)
    if contract.other_fields == "refused":
        extra = sent.keys() - {field.name for field in contract.fields}
        faults += [
            fault_at(places.INPUT, FieldCode.UNKNOWN_FIELD, "no such field", name) for name in sorted(extra)
        ]
    return values, faults


def _examine_fields(contract: Contract, sent: dict[str, Any]) -> tuple[list[Any], list[FieldFault]]:
    values: list[Any] = []
    faults: list[FieldFault] = []
    for place, field in enumerate(contract.fields):
        value = sent.get(field.name, UNSET)
        fault = field_fault(place, field, value)
        if fault is not None:
            faults.append(fault)
        values.append(None if fault is not None and fault.code in _USELESS else value)
    return values, faults


def _output_faults(shape: OutputShape, output: Output, confidence: float | None) -> list[FieldFault]:
    found = [_answer_fault(shape, output)]
    if confidence is not None:
        found.append(range_fault(places.CONFIDENCE, confidence, 0.0, 1.0))
    elif shape.confidence == "required":
        found.append(fault_at(places.CONFIDENCE, FieldCode.MISSING, "a number from 0 to 1", UNSET))
    if output.scores is not None:
        found += _score_faults(shape, output.scores)
    elif shape.scores == "required":
        found.append(fault_at(places.SCORES, FieldCode.MISSING, "a score for each class", UNSET))
    return [fault for fault in found if fault is not None]


def _answer_fault(shape: OutputShape, output: Output) -> FieldFault | None:
    if shape.type == "class":
        classes = class_names(shape)
        if output.label is None:
            return fault_at(places.LABEL, FieldCode.MISSING, "a class", UNSET)
        return None if output.label in classes else _unknown(places.LABEL, classes, output.label)
    if shape.type == "number":
        if output.value is None:
            return fault_at(places.VALUE, FieldCode.MISSING, "a number", UNSET)
        low = -math.inf if shape.min is None else shape.min
        return range_fault(places.VALUE, output.value, low, math.inf if shape.max is None else shape.max)
    return fault_at(places.TEXT, FieldCode.MISSING, "a text", UNSET) if output.text is None else None


def _score_faults(shape: OutputShape, scores: dict[str, float]) -> list[FieldFault | None]:
    classes = class_names(shape)
    unknown = [_unknown(places.SCORES, classes, name) for name in scores if classes and name not in classes]
    return [*unknown, *(range_fault(places.SCORES, score, 0.0, 1.0) for score in scores.values())]


def _unknown(field: int, known: tuple[str, ...], got: str) -> FieldFault:
    return fault_at(field, FieldCode.UNKNOWN_VALUE, f"one of {', '.join(known)}", got)
