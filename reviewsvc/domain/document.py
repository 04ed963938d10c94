"""A document's plain data, read field by field; every fault is named by its path."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar, cast

from msgspec import Struct

Path = tuple[str | int, ...]
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
NAME_RULE = "1 to 100 letters, digits, dots, underscores or hyphens"

_MOST = 1000
_SHORT = 200
_SHOWN = 60

_D = TypeVar("_D")
_T = TypeVar("_T")
_Test = Callable[[Any], bool]


class DocumentFault(Struct, frozen=True):
    """One fault: where in the document, what was expected, what stands there."""

    path: Path
    expected: str
    got: str

    @property
    def text(self) -> str:
        """Say the fault in one line."""
        place = show_path(self.path)
        return f"{place}: {self.problem}" if place else self.problem

    @property
    def problem(self) -> str:
        """Say the fault without its place."""
        return f"expected {self.expected}, got {self.got}"


class DocumentError(ValueError):
    """A document cannot be used; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Sequence[DocumentFault]) -> None:
        super().__init__("\n".join(fault.text for fault in faults))
        self.faults = tuple(faults)


class _Required:
    """Stands for a default where there is none."""


REQUIRED: Any = _Required()


def show_path(path: Path) -> str:
    """Write a path as people do: `rules[2].when.confidence`."""
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else step
    return shown


def show(value: object) -> str:
    """Write a value as it would stand in a document, cut to a readable length."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def one_of(options: Iterable[object]) -> str:
    """List what may stand in a place."""
    shown = [str(option) for option in options]
    return f"one of {', '.join(shown)}" if len(shown) > 1 else "".join(shown)


def suggestion(word: object, options: Iterable[object]) -> str:
    """Name the option that was probably meant, ready to be put behind a fault; empty if none is near."""
    near = get_close_matches(str(word), [str(option) for option in options], n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


class Fields:
    """One object of a document; reading a field checks it, `finish` refuses the fields that nobody read.

    A faulty field is noted in `faults`, shared by the whole document, and read as its default, or as a
    harmless value of its kind, so that all faults are found at once.
    """

    def __init__(self, data: object, path: Path, faults: list[DocumentFault]) -> None:
        self.path = path
        self.faults = faults
        self.read: set[str] = set()
        self.data: dict[Any, Any] = data if isinstance(data, dict) else {}
        self.sound = isinstance(data, dict)
        if not self.sound:
            self.fault("fields with values", data)

    def fault(self, expected: str, got: object, *steps: str | int) -> None:
        """Note that something else was expected at a place below this object."""
        self.faults.append(DocumentFault((*self.path, *steps), expected, show(got)))

    def checked(self, key: str, default: _D, rule: str, blank: _T, is_right: _Test) -> _T | _D:
        """Read a field that must be right; the default if absent, `blank` if it is faulty or was required."""
        self.read.add(key)
        value = self.data.get(key)
        if value is None and default is not REQUIRED:
            return default
        if value is not None and is_right(value):
            return cast("_T", value)
        if self.sound:
            self.fault(rule, value, key)
        return blank

    def text(self, key: str, default: _D = REQUIRED, *, longest: int = 2000) -> str | _D:
        """Read a text of 1 to `longest` characters."""
        rule = f"a text of 1 to {longest} characters (numbers, true and false in quotes)"
        return self.checked(key, default, rule, "", lambda value: is_text(value, longest))

    def name(self, key: str, default: _D = REQUIRED) -> str | _D:
        """Read a name that may stand in addresses, tables and topics."""
        return self.checked(key, default, f"a name: {NAME_RULE}", "", is_name)

    def choice(self, key: str, options: Sequence[str], default: _D = REQUIRED) -> str | _D:
        """Read one of some words."""
        rule = one_of(options) + suggestion(self.data.get(key), options)
        return self.checked(key, default, rule, options[0], lambda value: value in options)

    def number(self, key: str, low: float, high: float, default: _D = REQUIRED) -> float | _D:
        """Read a finite number within bounds."""
        return self.checked(key, default, number_rule(low, high), low, partial(_is_within, low, high))

    def whole(self, key: str, low: int, high: int, default: _D = REQUIRED) -> int | _D:
        """Read a whole number within bounds."""
        rule = f"a whole number from {low} to {high}"
        return self.checked(key, default, rule, low, partial(_is_whole_within, low, high))

    def flag(self, key: str, default: _D = REQUIRED) -> bool | _D:
        """Read true or false."""
        blank = False
        return self.checked(key, default, "true or false", blank, lambda value: isinstance(value, bool))

    def inner(self, key: str, *, required: bool = True) -> "Fields | None":
        """Read an object; None if it is absent and may be, or is none."""
        default = REQUIRED if required else None
        value = self.checked(key, default, "fields with values", None, lambda found: isinstance(found, dict))
        return None if value is None else self.below(value, key)

    def below(self, value: object, *steps: str | int) -> "Fields":
        """Treat a value as an object at a place below this one."""
        return Fields(value, (*self.path, *steps), self.faults)

    def items(self, key: str, what: str, *, required: bool = True) -> list[Any]:
        """Read a list of 1 to 1,000 things."""
        rule = f"a list of 1 to {_MOST} {what}"
        return self.checked(key, REQUIRED if required else None, rule, None, _is_list) or []

    def texts(self, key: str, what: str, *, required: bool = True) -> tuple[str, ...]:
        """Read a list of different texts of at most 200 characters."""
        found: list[str] = []
        for place, value in enumerate(self.items(key, what, required=required)):
            if not is_text(value, _SHORT):
                rule = f"a text of 1 to {_SHORT} characters (numbers, true and false in quotes)"
                self.fault(rule, value, key, place)
            elif value in found:
                self.fault(f"{what} that differ", value, key, place)
            else:
                found.append(value)
        return tuple(found)

    def finish(self) -> None:
        """Refuse the fields that nobody asked for, naming the one that was probably meant."""
        for key in self.data:
            if key not in self.read:
                known = f"one of the fields {', '.join(sorted(self.read))}{suggestion(key, self.read)}"
                self.fault(known, key, str(key))


def is_text(value: object, longest: int) -> bool:
    """Tell whether a value is a text that says something, without NUL characters."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= longest and "\0" not in value


def is_name(value: object) -> bool:
    """Tell whether a value may name a model, a queue, a rule or a retention class."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number; true and false are none."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_within(low: float, high: float, value: object) -> bool:
    return is_number(value) and low <= cast("float", value) <= high


def _is_whole_within(low: int, high: int, value: object) -> bool:
    return type(value) is int and low <= value <= high


def _is_list(value: object) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= _MOST


def number_rule(low: float, high: float) -> str:
    """Say a range in words."""
    if math.isinf(low) and math.isinf(high):
        return "a number"
    if math.isinf(high):
        return f"a number of at least {low:g}"
    return f"a number from {low:g} to {high:g}"
