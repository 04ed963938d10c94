"""The page about the API names each code that a problem can have, and no path that is not there."""

import re
from typing import Final

import pytest
from flask import Flask

from reviewsvc.api import documentation, registration
from reviewsvc.web.errors import TABLE
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

PAGES: Final = [ROOT / "docs" / "api.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
CALL: Final = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) +(/api/v1/[\w/-]+)")


def test_every_code_of_a_problem_stands_under_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.+) \|$", PAGES[0].read_text(), re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {(known.status, known.code) for known in TABLE.values()}


def test_every_call_that_the_pages_show_exists() -> None:
    app = Flask("reviewsvc", static_folder=None)
    registration.register(app)
    paths = app.extensions[documentation.EXTENSION]["paths"]
    real = {(verb.upper(), re.sub(r"\{\w+\}", "*", path)) for path, verbs in paths.items() for verb in verbs}
    shown = {(verb, path) for page in PAGES for verb, path in CALL.findall(page.read_text())}
    assert shown
    assert [call for call in sorted(shown) if not _is_among(call, real)] == []


def _is_among(call: tuple[str, str], real: set[tuple[str, str]]) -> bool:
    """A part in capitals stands for any; so does one that a path takes as a parameter."""
    verb, path = call
    parts = path.split("/")
    return any(
        verb == known
        and len(parts) == len(wanted := place.split("/"))
        and all(want in ("*", part) for part, want in zip(parts, wanted, strict=True))
        for known, place in real
    )
