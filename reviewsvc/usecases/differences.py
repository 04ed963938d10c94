"""What changes from one version of a document to the next, field by field, for people."""

from collections.abc import Iterator
from typing import Any

from reviewsvc.domain.document import show

_NAMES = ("id", "name", "value")


def difference(old: Any, new: Any) -> list[str]:  # noqa: ANN401 - plain data
    """List what changes between two documents' data, one line a field; empty if nothing does.

    Things of a list that have an id, a name or a value are compared with their namesakes, and a change of
    order is said. An absent old document gives each field as added.
    """
    return list(_changes({} if old is None else old, new, ""))


def _changes(old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _members(old, new, path, dotted=True)
    elif isinstance(old, list) and isinstance(new, list) and _named(old) and _named(new):
        yield from _things(old, new, path)
    elif not _is_same(old, new):
        yield f"~ {path}: {show(old)} -> {show(new)}"


def _is_same(old: Any, new: Any) -> bool:  # noqa: ANN401 - plain data
    """Compare with types: to Python, true and 1 are equal."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
    return type(old) is type(new) and bool(old == new)


def _members(old: dict[str, Any], new: dict[str, Any], path: str, *, dotted: bool) -> Iterator[str]:
    for key in [*old, *(key for key in new if key not in old)]:
        place = (f"{path}.{key}" if path else key) if dotted else f"{path}[{key}]"
        if key not in new:
            yield f"- {place}: {show(old[key])}"
        elif key not in old:
            yield from _added(new[key], place)
        else:
            yield from _changes(old[key], new[key], place)


def _added(new: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(new, dict) and new:
        for key, value in new.items():
            yield from _added(value, f"{path}.{key}")
    elif isinstance(new, list) and _named(new):
        for name, value in _by_name(new).items():
            yield from _added(value, f"{path}[{name}]")
    else:
        yield f"+ {path}: {show(new)}"


def _things(old: list[Any], new: list[Any], path: str) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    yield from _members(before, after, path, dotted=False)
    stayed = [name for name in before if name in after]
    if stayed != [name for name in after if name in before]:
        yield f"~ {path}: order {', '.join(before)} -> {', '.join(after)}"


def _by_name(things: list[Any]) -> dict[str, Any]:
    return {_name(thing): thing for thing in things}


def _named(things: list[Any]) -> bool:
    return bool(things) and all(isinstance(thing, dict) and _name(thing) for thing in things)


def _name(thing: dict[str, Any]) -> str:
    return next((str(thing[key]) for key in _NAMES if thing.get(key) is not None), "")
