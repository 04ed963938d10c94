"""YAML as plain data with the line of every field; the small, unsurprising part of YAML only."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from msgspec import Struct
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reviewsvc.domain.document import Path

LARGEST_TEXT = 1_000_000
MOST_NODES = 100_000
DEEPEST = 32

_TAG = "tag:yaml.org,2002:"


class MarkedError(ValueError):
    """The text cannot be read; `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class Marked(Struct, frozen=True):
    """One document of a file: its data, the line on which it starts, and the line of every path in it."""

    data: Any
    line: int
    lines: dict[Path, int]


class _Loader(yaml.SafeLoader):
    """Knows what YAML 1.2's core schema knows: `no`, `on` and dates are texts."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    f"{_TAG}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
    list("-+.0123456789"),
)


def parse(text: str) -> list[Marked]:
    """Read every document of a YAML text; MarkedError with the line of what cannot be read."""
    if len(text) > LARGEST_TEXT:
        raise MarkedError(1, f"expected at most {LARGEST_TEXT} characters, got {len(text)}")
    try:
        nodes = [node for node in yaml.compose_all(text, _Loader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MarkedError(mark.line + 1 if mark else 1, f"expected YAML, got {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MarkedError(line, f"expected printable text, got character #x{error.character:04x}") from error
    except RecursionError as error:
        raise MarkedError(1, f"expected at most {DEEPEST} levels, got many more") from error
    return [_Walk().document(node) for node in nodes if not _is_empty(node)]


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "" and node.tag == f"{_TAG}null"


class _Walk:
    """Turns one document's nodes into data; an alias counts each time, so that none can explode."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {}
        self._count = 0

    def document(self, node: Node) -> Marked:
        line = node.start_mark.line + 1
        return Marked(self._value(node, ()), line, self._lines)

    def _value(self, node: Node, path: Path) -> Any:  # noqa: ANN401 - plain data
        self._count += 1
        self._lines.setdefault(path, node.start_mark.line + 1)
        if self._count > MOST_NODES:
            raise _error(node, f"expected at most {MOST_NODES} values, got more (aliases count each time)")
        if len(path) > DEEPEST:
            raise _error(node, f"expected at most {DEEPEST} levels, got more")
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return dict(self._members(node, path))
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._value(one, (*path, place)) for place, one in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return _scalar(node)
        raise _error(node, f"expected no tag, got {node.tag}")

    def _members(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode) or key_node.tag != f"{_TAG}str":
                shown = getattr(key_node, "value", "")
                raise _error(
                    key_node, f"expected a text as the name of a field, got {shown} (put it in quotes)"
                )
            key = key_node.value
            if key in seen:
                raise _error(
                    key_node, f"expected each field once, got {key} again (first on line {seen[key]})"
                )
            seen[key] = line
            self._lines[(*path, key)] = line
            yield key, self._value(value_node, (*path, key))


def _scalar(node: ScalarNode) -> object:
    kind = node.tag.removeprefix(_TAG)
    if kind not in _SCALARS:
        raise _error(node, f"expected no tag, got {node.tag}")
    try:
        return _SCALARS[kind](node.value)
    except ValueError:
        raise _error(node, f"expected a readable {kind}, got {node.value[:40]}") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": _finite,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
}


def _error(node: Node, problem: str) -> MarkedError:
    return MarkedError(node.start_mark.line + 1, problem)
