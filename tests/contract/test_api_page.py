"""The page about the API names each code that a problem can have, and no path that is not there."""

import re
from typing import Final

import pytest
from flask import Flask
from marshmallow import Schema, class_registry

from reviewsvc.api import documentation, registration
from reviewsvc.api.descriptions import EXAMPLES
from reviewsvc.web.errors import TABLE
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

PAGES: Final = [ROOT / "docs" / "api.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
VERBS: Final = ("get", "post", "put", "patch", "delete")
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


def test_each_operation_says_who_may_call_it_and_shows_a_body_that_its_schema_takes() -> None:
    app = Flask("reviewsvc", static_folder=None)
    registration.register(app)
    spec = app.extensions[documentation.EXTENSION]
    said = [operation for item in spec["paths"].values() for verb, operation in item.items() if verb in VERBS]
    assert len({one["operationId"] for one in said}) == len(said)
    assert [one["operationId"] for one in said if "x-permission" not in one] == ["me_me", "audit_verify"]
    assert [name for name, example in EXAMPLES.items() if _schema(name)().validate(dict(example))] == []
    bodies = [content for one in said for content in one.get("requestBody", {}).get("content", {}).values()]
    assert {content["schema"]["$ref"].rpartition("/")[2] for content in bodies} == EXAMPLES.keys()


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


def _schema(name: str) -> type[Schema]:
    """The document's names leave out what every schema's may end in."""
    names = {path.rpartition(".")[2] for path in class_registry._registry}
    return class_registry.get_class(name if name in names else f"{name}Schema")
