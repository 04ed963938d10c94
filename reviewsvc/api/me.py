"""Who the token stands for, and what it may."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields

from reviewsvc.domain.permissions import ALL
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import anyone_signed_in

blueprint = Blueprint("me", __name__, url_prefix="/api/v1", description="Who the token stands for")


class GrantSchema(Schema):
    """A role and where it holds: `*`, `model:NAME` or `queue:NAME`."""

    role = fields.String(required=True)
    scope = fields.String(required=True)


class MeSchema(Schema):
    """The person whose token this is."""

    person_id = fields.UUID(required=True)
    login = fields.String(required=True)
    name = fields.String(required=True)
    grants = fields.List(fields.Nested(GrantSchema), required=True)
    scopes = fields.List(fields.String(), required=True, metadata={"description": "The token's scopes"})
    permissions = fields.List(
        fields.String(), required=True, metadata={"description": "What this token may do somewhere"}
    )


@blueprint.get("/me")
@blueprint.response(200, MeSchema)
@anyone_signed_in
def me() -> dict[str, Any]:
    """Say who the token stands for and what it may do."""
    who = signed_in()
    return {
        "person_id": who.person.person_id,
        "login": who.person.login,
        "name": who.person.name,
        "grants": [grant._asdict() for grant in who.grants],
        "scopes": list(who.scopes or ()),
        "permissions": sorted(name for name in ALL if who.reach(name)),
    }
