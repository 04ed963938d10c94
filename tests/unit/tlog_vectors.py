"""The golden vectors of tests/vectors/tlog."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors" / "tlog"


@cache
def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def entry(index: int) -> bytes:
    return b"entry %d\n" % index
