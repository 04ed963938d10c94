"""The conditions of a rule, read from plain data."""

import math
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from reviewsvc.domain.document import Fields, is_text

BOUNDS = ("below", "at_most", "above", "at_least")
Value = str | int | bool


class Condition(Struct, frozen=True):
    """One condition on one thing. What is empty or None was not asked.

    `low` and `high` are both included. `by_class` has (class, low, high) for confidence. `values` must hold
    the thing, or must not if `negated`. `flag` asks for yes or no: a violation, a failure, a missing input.
    """

    on: str
    field: str = ""
    low: float = -math.inf
    high: float = math.inf
    by_class: tuple[tuple[str, float, float], ...] = ()
    values: tuple[Value, ...] = ()
    negated: bool = False
    flag: bool | None = None


def read_conditions(read: Fields | None) -> tuple[Condition, ...]:
    """Read what stands under `when`; an absent one holds always."""
    if read is None:
        return ()
    read.read.update(_READERS)
    found = [_READERS[key](read, key) for key in _READERS if read.data.get(key) is not None]
    if read.data.get("input") is not None:
        found += _inputs(read)
    read.read.add("input")
    read.finish()
    return tuple(found)


def _numeric(read: Fields, key: str) -> Condition:
    low, high = _bounds(read.below(read.data[key], key), _LIMITS.get(key, (-math.inf, math.inf)))
    return Condition(key, low=low, high=high)


_LIMITS = {"margin": (0.0, 1.0), "entropy": (0.0, 1.0), "confidence": (0.0, 1.0)}


def _bounds(read: Fields, limits: tuple[float, float]) -> tuple[float, float]:
    if read.sound and not any(read.data.get(bound) is not None for bound in BOUNDS):
        read.fault(f"one of {', '.join(BOUNDS)}", read.data)
    found = [read.number(bound, *limits, None) for bound in BOUNDS]
    read.finish()
    return _range(dict(zip(BOUNDS, found, strict=True)))


def _range(bounds: dict[str, float | None]) -> tuple[float, float]:
    below, at_most, above, at_least = (bounds.get(bound) for bound in BOUNDS)
    low = max(
        -math.inf if above is None else math.nextafter(above, math.inf),
        -math.inf if at_least is None else at_least,
    )
    high = min(
        math.inf if below is None else math.nextafter(below, -math.inf),
        math.inf if at_most is None else at_most,
    )
    return low, high


def _confidence(read: Fields, key: str) -> Condition:
    inner = read.below(read.data[key], key)
    if not any(isinstance(inner.data.get(bound), dict) for bound in BOUNDS):
        return _numeric(read, key)
    classes: dict[str, dict[str, float | None]] = {}
    for bound in BOUNDS:
        thresholds = inner.inner(bound, required=False)
        for name in thresholds.data if thresholds else ():
            classes.setdefault(str(name), {})[bound] = thresholds.number(name, 0, 1) if thresholds else None
    inner.finish()
    return Condition(key, by_class=tuple((name, *_range(bounds)) for name, bounds in classes.items()))


def _values(read: Fields, key: str) -> Condition:
    values, negated = _listed(read, key)
    return Condition(key, values=values, negated=negated)


def _listed(read: Fields, key: str) -> tuple[tuple[Value, ...], bool]:
    value = read.data[key]
    if not isinstance(value, dict):
        return _scalars(read, key, value), False
    inner = read.below(value, key)
    inner.read.add("not")
    inner.finish()
    return _scalars(inner, "not", value.get("not")), True


def _scalars(read: Fields, key: str, value: Any) -> tuple[Value, ...]:  # noqa: ANN401 - plain data
    values = value if isinstance(value, list) else [value]
    only_texts = "input" not in read.path
    kinds = (
        "a text (numbers, true and false in quotes)"
        if only_texts
        else "a text, a whole number, true or false"
    )
    for place, one in enumerate(values):
        if not (is_text(one, 200) or (type(one) in (int, bool) and not only_texts)):
            read.fault(
                f"{kinds}, a list of these, or not: with these",
                one,
                key,
                *((place,) if one is not value else ()),
            )
    if not values:
        read.fault("at least one value", values, key)
    return tuple(values)


def _flag(read: Fields, key: str) -> Condition:
    return Condition(key, flag=read.flag(key, None))


def _violation(read: Fields, key: str) -> Condition:
    if isinstance(read.data[key], list):
        return Condition(key, values=read.texts(key, "places"))
    return _flag(read, key)


_READERS: dict[str, Callable[[Fields, str], Condition]] = {
    "confidence": _confidence,
    "margin": _numeric,
    "entropy": _numeric,
    "value": _numeric,
    "label": _values,
    "segment": _values,
    "version": _values,
    "risk_tier": _values,
    "violation": _violation,
    "failed": _flag,
}


def _inputs(read: Fields) -> list[Condition]:
    inner = read.inner("input")
    return [_input(inner, name) for name in inner.data] if inner else []


def _input(read: Fields, name: str) -> Condition:
    value = read.data[name]
    if not isinstance(value, dict) or "not" in value:
        values, negated = _listed(read, name)
        return Condition("input", name, values=values, negated=negated)
    inner = read.below(value, name)
    if "missing" in value:
        flag = inner.flag("missing")
        inner.finish()
        return Condition("input", name, flag=flag)
    low, high = _bounds(inner, (-math.inf, math.inf))
    return Condition("input", name, low=low, high=high)
