"""The conditions of a rule, compiled to functions of one prediction."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from msgspec import UNSET

from reviewsvc.domain.contract_check import Checked, CompiledContract
from reviewsvc.domain.contract_faults import place_names
from reviewsvc.domain.events import Event
from reviewsvc.domain.policy_conditions import Condition

Test = Callable[[Event, Checked], bool]


def compile_conditions(conditions: Sequence[Condition], contract: CompiledContract) -> Test | None:
    """Make one function of a rule's conditions; None holds always."""
    tests = [_COMPILERS[condition.on](condition, contract) for condition in conditions]
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda event, checked: all(test(event, checked) for test in tests)


def margin(scores: dict[str, float] | None) -> float:
    """Return the distance of the two largest scores; 0, the least certain, if there are no two."""
    if not scores or len(scores) == 1:
        return 0.0
    second, first = sorted(scores.values())[-2:]
    return first - second


def entropy(scores: dict[str, float] | None, classes: int) -> float:
    """Return Shannon's entropy of the scores, brought to sum 1, over its maximum ln(classes).

    From 0 (sure) to 1 (any class is as likely as any other); 1 if there are no scores.
    """
    total = sum(score for score in scores.values() if score > 0) if scores else 0.0
    if not scores or not 0.0 < total < math.inf or classes <= 1:
        return 1.0
    shares = [score / total for score in scores.values() if score > 0]
    spread = -sum(share * math.log(share) for share in shares if share > 0)
    return min(1.0, spread / math.log(max(classes, len(scores))))


def _confidence(condition: Condition, contract: CompiledContract) -> Test:
    if condition.by_class:
        return _confidence_by_class(condition, contract)
    low, high = condition.low, condition.high

    def test(_event: Event, checked: Checked) -> bool:
        confidence = checked.confidence
        return low <= (0.0 if confidence is None else confidence) <= high

    return test


def _confidence_by_class(condition: Condition, contract: CompiledContract) -> Test:
    ranges = {contract.labels[name]: (low, high) for name, low, high in condition.by_class}
    unsure = any(low <= 0.0 <= high for low, high in ranges.values())

    def test(_event: Event, checked: Checked) -> bool:
        if checked.label is None:
            return unsure
        low, high = ranges.get(checked.label, _NEVER)
        return low <= (checked.confidence or 0.0) <= high

    return test


_NEVER = (math.inf, -math.inf)


def _margin(condition: Condition, _contract: CompiledContract) -> Test:
    return lambda event, _: condition.low <= margin(event.output.scores) <= condition.high


def _entropy(condition: Condition, contract: CompiledContract) -> Test:
    classes = len(contract.classes)
    return lambda event, _: condition.low <= entropy(event.output.scores, classes) <= condition.high


def _value(condition: Condition, _contract: CompiledContract) -> Test:
    low, high = condition.low, condition.high

    def test(event: Event, _checked: Checked) -> bool:
        value = event.output.value
        return value is not None and low <= value <= high

    return test


def _label(condition: Condition, contract: CompiledContract) -> Test:
    codes, negated = {contract.labels[str(name)] for name in condition.values}, condition.negated
    return lambda _, checked: (checked.label in codes) is not negated


def _segment(condition: Condition, contract: CompiledContract) -> Test:
    codes, negated = {contract.segments[str(name)] for name in condition.values}, condition.negated
    return lambda _, checked: (checked.segment in codes) is not negated


def _version(condition: Condition, _contract: CompiledContract) -> Test:
    versions, negated = frozenset(condition.values), condition.negated
    return lambda event, _: (event.model.version in versions) is not negated


def _risk_tier(condition: Condition, contract: CompiledContract) -> Test:
    held = (contract.contract.risk_tier in condition.values) is not condition.negated
    return lambda _event, _checked: held


def _violation(condition: Condition, contract: CompiledContract) -> Test:
    if condition.flag is not None:
        flag = condition.flag
        return lambda _, checked: (checked.violations.count > 0) is flag
    names = place_names(contract.contract)
    places = {names[str(name)] for name in condition.values}
    return lambda _, checked: any(fault.field in places for fault in checked.violations.faults)


def _failed(condition: Condition, _contract: CompiledContract) -> Test:
    status = "error" if condition.flag else "ok"
    return lambda event, _: event.status == status


def _input(condition: Condition, contract: CompiledContract) -> Test:
    get: Callable[[Any], Any] = attrgetter(f"f{contract.places[condition.field]}")
    if condition.flag is not None:
        flag = condition.flag
        return lambda _, checked: (get(checked.values) in _ABSENT) is flag
    if condition.values:
        values, negated = frozenset(condition.values), condition.negated

        def is_listed(_event: Event, checked: Checked) -> bool:
            value = get(checked.values)
            return value not in _ABSENT and (value in values) is not negated

        return is_listed
    low, high = condition.low, condition.high

    def test(_event: Event, checked: Checked) -> bool:
        value = get(checked.values)
        return value is not None and value is not UNSET and low <= value <= high

    return test


_ABSENT = (None, UNSET)


_COMPILERS: dict[str, Callable[[Condition, CompiledContract], Test]] = {
    "confidence": _confidence,
    "margin": _margin,
    "entropy": _entropy,
    "value": _value,
    "label": _label,
    "segment": _segment,
    "version": _version,
    "risk_tier": _risk_tier,
    "violation": _violation,
    "failed": _failed,
    "input": _input,
}
