"""What the OpenAPI document says beside the schemas: names of operations, who may call them, examples."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Flask

from reviewsvc.web.permissions import declared
from reviewsvc.web.repeats import HEADER as REPEATS

_PART: Final = re.compile(r"<(?:[^:<>]+:)?(\w+)>")
_TASK: Final = "0199e2c4-9d54-7b13-8e54-3c1f0c9d2a11"
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Claim": {"count": 2, "skip": [_TASK]},
    "ClaimToken": {"token": 7},
    "Rest": {"token": 7, "until": "2026-11-24T08:00:00Z"},
    "ActReason": {"token": 7, "reason": "Two applicants in one form"},
    "Answer": {"token": 7, "value": "approve", "note": "Income was checked by telephone"},
    "Verdict": {"value": "approve", "note": "Both read the policy otherwise than it is meant"},
    "Undo": {"hold": True},
    "SearchAsked": {"prediction_id": "application-4711", "model": "loans"},
    "ReceiptGiven": {"receipt": "c2sp.org/tlog-proof@v1 …"},
    "ExportAsked": {
        "kind": "case",
        "model": "loans",
        "prediction_id": "A-1",
        "purpose": "letter of 3 May",
    },
    "NewPerson": {"login": "ana@example.org", "name": "Ana Silva"},
    "Grant": {"role": "reviewer", "scope": "queue:refusals"},
    "NewToken": {"name": "nightly", "scopes": ["labels.pull"], "days": 90},
    "SubjectAsked": {"subject": "customer 4711", "reason": "letter of 3 May"},
    "HoldAsked": {"model": "loans", "prediction_id": "A-1", "reason": "court file 12/26"},
    "EventErased": {
        "log": "predictions/reviewsvc.predictions.v1/0/0",
        "seq": 4711,
        "reason": "letter of 3 May",
    },
    "ReasonGiven": {"reason": "file closed"},
}
_KEY: Final = {
    "in": "header",
    "name": REPEATS,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "The same key with the same request gets the first answer again",
}


def describe(app: Flask, spec: dict[str, Any]) -> dict[str, Any]:
    """Add to each operation of the document its id, its permission, and an example of its body; return it."""
    for tag in spec.get("tags", ()):
        tag["name"] = tag["name"].removeprefix("api-")
    for rule in app.url_map.iter_rules():
        item = spec["paths"].get(_PART.sub(r"{\1}", rule.rule), {})
        for method in sorted(item.keys() & {each.lower() for each in rule.methods or ()}):
            _describe(app, item[method], rule.endpoint, method)
    return spec


def _describe(app: Flask, said: dict[str, Any], endpoint: str, method: str) -> None:
    said["tags"] = [tag.removeprefix("api-") for tag in said.get("tags", ())]
    said["operationId"] = endpoint.removeprefix("api-").replace("-", "_").replace(".", "_")
    said["description"] = "\n\n".join(filter(None, [said.get("description"), _who(app, endpoint, method)]))
    shown = declared(app.view_functions[endpoint], method)
    is_public = shown is not None and shown.is_public
    if is_public:
        said["security"] = []
    elif shown is not None and shown.permission:
        said["x-permission"] = shown.permission
    if method != "get" and not is_public:
        said.setdefault("parameters", []).append(_KEY)
    for content, name in _bodies(said):
        content["example"] = EXAMPLES[name]


def _who(app: Flask, endpoint: str, method: str) -> str:
    shown = declared(app.view_functions[endpoint], method)
    if shown is None or shown.is_public:
        return "Open to everybody."
    return (
        f"Needs the permission `{shown.permission}`." if shown.permission else "Open to whoever is signed in."
    )


def _bodies(said: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for content in said.get("requestBody", {}).get("content", {}).values():
        yield content, str(content["schema"]["$ref"]).rpartition("/")[2]
