"""Lines of values as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence


def as_csv(lines: Iterable[Sequence[object]]) -> bytes:
    """Write lines of values; None is empty."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
