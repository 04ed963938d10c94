"""Reads what a form sent, and goes on to another page."""

from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

from flask import redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

_SEE_OTHER: Final = 303
_LONGEST: Final = 20_000
# Who agrees sends the model's text back, however long: a body is limited as a whole.
_LONGEST_ANSWER: Final = 1_000_000
_MOST_DIGITS: Final = 19


def text(name: str, *, longest: int = _LONGEST) -> str:
    """Return a field of the form, "" if it was not sent; BadRequest if it is too long or holds a NUL."""
    found = request.form.get(name, "")
    if len(found) > longest or "\0" in found:
        raise BadRequest
    return found


def answer() -> str:
    """Return the answer of a form: the pressed button's, else the one that was typed."""
    return text("value", longest=_LONGEST_ANSWER) or text("own", longest=_LONGEST_ANSWER)


def file_text(name: str, *, longest: int) -> str:
    """Return a file of the form as text, "" if there is none; BadRequest if it is too long or holds a NUL."""
    sent = request.files.get(name)
    data = sent.read(longest + 1) if sent else b""
    if len(data) > longest or b"\0" in data:
        raise BadRequest
    return data.decode("utf-8", "replace")


def whole(name: str, *, lowest: int, highest: int) -> int:
    """Return a whole number of the form; BadRequest if it is none or out of range."""
    found = number(request.form.get(name, ""))
    if not lowest <= found <= highest:
        raise BadRequest
    return found


def number(typed: str) -> int:
    """Read a whole number of at most 19 digits; BadRequest if it is none."""
    if not typed.isascii() or not typed.isdigit() or len(typed) > _MOST_DIGITS:
        raise BadRequest
    return int(typed)


def go(path: str) -> Response:
    """Go on to another page after a form was taken."""
    return redirect(path, _SEE_OTHER)


def own_path(path: str, otherwise: str) -> str:
    """Return a path of this service to go on to; anything that could lead elsewhere gives the other one."""
    parts = urlsplit(path)
    is_own = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    return path if is_own and "\\" not in path and path.isprintable() else otherwise


class Faults(SimpleNamespace):
    """Sentences about what to change, by field; a field without a fault has none."""

    def __getattr__(self, _name: str) -> None:
        return None


class Form(SimpleNamespace):
    """What was typed and what is wrong with it; a field that was not typed is empty."""

    def __init__(self, faults: Faults | None = None, **typed: str) -> None:
        super().__init__(faults=faults or Faults(), **typed)

    def __getattr__(self, _name: str) -> str:
        return ""
