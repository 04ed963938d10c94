"""Lines of values as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable
from typing import Final

# What a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_csv(lines: Iterable[Iterable[object]]) -> bytes:
    """Write lines of values; None is empty."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def plain(value: object) -> object:
    """Return a value for a spreadsheet: a text that it would take for a formula gets an apostrophe before."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
