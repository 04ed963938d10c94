"""Pages of a list: how many rows, from where, and the links to the next ones."""

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from werkzeug.exceptions import BadRequest

from reviewsvc.console.forms import number

ROWS: Final = 50
_LONGEST: Final = 500


def asked(name: str) -> str:
    """Return a part of the query, "" if it is not there; BadRequest if it is too long or holds a NUL."""
    found = request.args.get(name, "").strip()
    if len(found) > _LONGEST or "\0" in found:
        raise BadRequest
    return found


def asked_uuid(name: str) -> UUID | None:
    """Return an id of the query, or None if it is not there."""
    found = asked(name)
    try:
        return UUID(found) if found else None
    except ValueError as error:
        raise BadRequest from error


def asked_numbers(name: str, count: int) -> tuple[int, ...] | None:
    """Return numbers of the query that stand between points, or None if it is not there."""
    parts = asked(name).split(".") if asked(name) else []
    if not parts:
        return None
    if len(parts) != count:
        raise BadRequest
    return tuple(map(number, parts))


def pager(path: str, after: object | None, **filters: str) -> dict[str, str | None]:
    """Return the addresses of the first page, unless this is it, and of the next one, if there is one."""
    kept = {name: value for name, value in filters.items() if value}
    first = _address(path, kept) if request.args.get("after") else None
    return {"first": first, "next": _address(path, {**kept, "after": str(after)}) if after else None}


def _address(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
