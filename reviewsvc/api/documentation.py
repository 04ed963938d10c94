"""Shows the OpenAPI document as a page: made by the server, so that it needs no script."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from flask import Blueprint, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue

from reviewsvc.web.permissions import public

EXTENSION: Final = "reviewsvc-openapi"
_METHODS: Final = ("get", "post", "put", "patch", "delete")

blueprint = Blueprint("documentation", __name__)


class Field(NamedTuple):
    """One parameter or member of a body: its name, what it is, whether it must be there, what it means."""

    name: str
    kind: str
    is_required: bool
    about: str
    place: str = ""


class Answer(NamedTuple):
    """One answer: its status, what it is, and the schema of its body."""

    status: str
    about: str
    schema: str


class Operation(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    title: str
    about: str
    parameters: tuple[Field, ...]
    body: str
    example: str
    answers: tuple[Answer, ...]


@blueprint.get("/api/docs")
@blueprint.get("/api/docs/")
@public
def page() -> str:
    """Show the API's description."""
    spec = current_app.extensions[EXTENSION]
    schemas = spec.get("components", {}).get("schemas", {})
    return render_template(
        "api.html",
        info=spec["info"],
        rooms=[(tag, list(operations(spec, tag["name"]))) for tag in spec.get("tags", ())],
        schemas=[
            (name, schema.get("description", ""), list(members(schema))) for name, schema in schemas.items()
        ],
    )


@blueprint.get("/api/docs/openapi.json")
@public
def document() -> ResponseReturnValue:
    """Return the API's description as it is: the same for everybody."""
    return jsonify(current_app.extensions[EXTENSION])


def operations(spec: Mapping[str, Any], tag: str) -> Iterator[Operation]:
    """Yield the operations of a tag in the order of the document."""
    for path, item in spec["paths"].items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            said = item.get(method)
            if said and tag in said.get("tags", ()):
                yield _operation(path, method, said, [*shared, *said.get("parameters", [])])


def members(schema: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the members of a schema of an object."""
    required = schema.get("required", ())
    for name, said in schema.get("properties", {}).items():
        yield Field(name, kind_of(said), name in required, said.get("description", ""))


def kind_of(schema: Mapping[str, Any]) -> str:
    """Say what a schema is in a few words: `string (uuid)`, `list of Task`, `integer or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kinds = schema.get("type", "anything")
    if isinstance(kinds, list):
        return " or ".join(kind_of({**schema, "type": kind}) for kind in kinds)
    if kinds == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    return f"{kinds} ({schema['format']})" if "format" in schema else str(kinds)


def _operation(
    path: str, method: str, said: Mapping[str, Any], parameters: list[Mapping[str, Any]]
) -> Operation:
    content = said.get("requestBody", {}).get("content", {})
    return Operation(
        method.upper(),
        path,
        said.get("summary", ""),
        said.get("description", ""),
        tuple(_parameter(one) for one in parameters if "name" in one),
        _schema_of(content),
        next((json.dumps(one["example"]) for one in content.values() if "example" in one), ""),
        tuple(_answer(status, one) for status, one in said.get("responses", {}).items()),
    )


def _parameter(said: Mapping[str, Any]) -> Field:
    kind = kind_of(said.get("schema", {}))
    return Field(said["name"], kind, said.get("required", False), said.get("description", ""), said["in"])


def _answer(status: str, said: Mapping[str, Any]) -> Answer:
    if "$ref" in said:
        return Answer("else" if status == "default" else status, "A problem", "Problem")
    return Answer(status, said.get("description", ""), _schema_of(said.get("content", {})))


def _schema_of(content: Mapping[str, Any]) -> str:
    return next((kind_of(said.get("schema", {})) for said in content.values()), "")
