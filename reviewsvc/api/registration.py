"""Brings the API into the application: its blueprints, its OpenAPI 3.1 document, the page that shows it."""

from importlib.metadata import version
from typing import Any, Final

from flask import Flask, request
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import UnsupportedMediaType

from reviewsvc.api import (
    approvals,
    audit,
    decisions,
    descriptions,
    documentation,
    exports,
    labels,
    me,
    people,
    quarantine,
    queues,
    subjects,
    tasks,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    me.blueprint,
    queues.blueprint,
    tasks.blueprint,
    labels.blueprint,
    decisions.blueprint,
    quarantine.blueprint,
    audit.blueprint,
    exports.blueprint,
    people.blueprint,
    subjects.blueprint,
    approvals.blueprint,
)

_ABOUT: Final = (
    "Everything that the pages do, for programs. Send Authorization: Bearer TOKEN; a token has scopes and an"
    " end date, and never may more than its person. Lists are {items, next}; pass next on as it is. Unsafe"
    " requests take an Idempotency-Key: the same key gets the same first answer. Errors are problem+json"
    " (RFC 9457) with a code and, where a field is at fault, errors."
)


class FaultSchema(Schema):
    """One field at fault."""

    field = fields.String(required=True)
    expected = fields.String(required=True)
    got = fields.String(allow_none=True)


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "The reason, for programs"})
    request_id = fields.String()
    errors = fields.List(fields.Nested(FaultSchema))


class DescribedApi(Api):
    """flask-smorest's API; errors are told by the one table of the web room."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Register none."""


def register(app: Flask) -> None:
    """Serve the API and its description."""
    app.config.update(
        API_TITLE="reviewsvc",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS=_options(),
    )
    app.before_request(_refuse_other_media)
    api = DescribedApi(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.extensions[documentation.EXTENSION] = descriptions.describe(app, api.spec.to_dict())
    app.register_blueprint(documentation.blueprint)


def _refuse_other_media() -> None:
    """Refuse a body that is not JSON: it would be taken for an empty one, and what was asked be left out."""
    if request.path.startswith("/api/v1/") and request.content_length and not request.is_json:
        raise UnsupportedMediaType


def _options() -> dict[str, Any]:
    scheme = {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of a person, made by an administrator",
    }
    return {
        "info": {"description": _ABOUT, "x-release": version("reviewsvc")},
        "components": {"securitySchemes": {"token": scheme}},
        "security": [{"token": []}],
    }
