"""Which keys act: those that everybody begins with, and what this browser's person made of them.

They are kept in the browser, since keyboards differ.
"""

import re
from collections.abc import Mapping
from typing import Final

from flask import request

from reviewsvc.console.forms import text

COOKIE: Final = "reviewsvc-keys"
LETTERS: Final[Mapping[str, str]] = {
    "agree": "a",
    "correct": "c",
    "note": "n",
    "undo": "u",
    "escalate": "e",
    "snooze": "s",
    "flag": "f",
    "down": "j",
    "up": "k",
    "search": "/",
    "help": "?",
}
_KEY: Final = re.compile(r"[A-Za-z0/?.,+*-]")


class KeyMapError(ValueError):
    """These keys cannot be; the text says what to change."""


def letters() -> dict[str, str]:
    """Return the key of each act, as this browser has them."""
    pairs = (pair.partition("=") for pair in request.cookies.get(COOKIE, "").split(" "))
    own = {act: key for act, _, key in pairs if act in LETTERS and _KEY.fullmatch(key)}
    both = {**LETTERS, **own}
    return both if len(set(both.values())) == len(both) else dict(LETTERS)


def changed(found: Mapping[str, str]) -> str:
    """Write what differs from the keys that everybody begins with, as pages and the cookie have it."""
    return " ".join(f"{act}={key}" for act, key in found.items() if key != LETTERS[act])


def typed() -> dict[str, str]:
    """Return what a form gives each act, fit or not."""
    return {act: text(f"key_{act}", longest=8).strip() or letter for act, letter in LETTERS.items()}


def read() -> dict[str, str]:
    """Read the keys of a form, an empty one as everybody begins with it. Raises KeyMapError."""
    found = typed()
    unfit = [key for key in found.values() if not _KEY.fullmatch(key)]
    if unfit:
        raise KeyMapError(f"{unfit[0]} cannot be a key here: take a letter, 0, or one of / ? . , + * -")
    twice = sorted({key for key in found.values() if list(found.values()).count(key) > 1})
    if twice:
        raise KeyMapError(f"{twice[0]} is given to two acts: each needs a key of its own.")
    return found
