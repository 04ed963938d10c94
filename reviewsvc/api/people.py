"""People, the roles that they hold, their tokens and their sessions, for administrators' programs."""

import re
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import abort
from flask_smorest import Blueprint

from reviewsvc.api import people_schemas as s
from reviewsvc.db.people import Token
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import auth, people, tokens
from reviewsvc.usecases.people import Known
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

_SESSION: Final = re.compile(r"[0-9a-f]{64}")

blueprint = Blueprint(
    "people", __name__, url_prefix="/api/v1", description="People, their roles, tokens and sessions"
)


@blueprint.get("/people")
@blueprint.arguments(s.PeoplePage, location="query")
@blueprint.response(200, s.People)
@permission("people.see")
def page(asked: dict[str, Any]) -> dict[str, Any]:
    """List people in the order of their logins."""
    found = people.page(services().sessions, asked["after"], asked["limit"])
    full = len(found) == asked["limit"]
    return {"items": [_person(one) for one in found], "next": found[-1].person.login if full else None}


@blueprint.post("/people")
@blueprint.arguments(s.NewPerson)
@blueprint.response(201, s.AddedPerson)
@permission("people.manage")
def add(asked: dict[str, Any]) -> dict[str, Any]:
    """Add a person; without a password one is made, and shown in this answer alone."""
    held, at = services(), services().clock()
    made = None if asked["password"] else people.generate_password()
    person_id = people.add(
        held.sessions,
        held.keyring,
        asked["login"],
        asked["name"] or asked["login"],
        asked["password"] or str(made),
        actor=signed_in().actor,
        at=at,
    )
    return _person(people.get(held.sessions, person_id)) | {"password": made}


@blueprint.get("/people/<uuid:person_id>")
@blueprint.response(200, s.Person)
@permission("people.see")
def get(person_id: UUID) -> dict[str, Any]:
    """Show a person."""
    return _person(people.get(services().sessions, person_id))


@blueprint.post("/people/<uuid:person_id>/disable")
@blueprint.response(200, s.Person)
@permission("people.manage")
def disable(person_id: UUID) -> dict[str, Any]:
    """Let a person in no more; their sessions end and their tokens stop counting."""
    held = services()
    people.disable(held.sessions, held.keyring, person_id, actor=signed_in().actor, at=held.clock())
    return _shown(person_id)


@blueprint.post("/people/<uuid:person_id>/grants")
@blueprint.arguments(s.GrantSchema)
@blueprint.response(200, s.Person)
@permission("people.manage")
def grant(asked: dict[str, str], person_id: UUID) -> dict[str, Any]:
    """Give a person a role."""
    held = services()
    people.grant(
        held.sessions, held.keyring, person_id, Grant(**asked), actor=signed_in().actor, at=held.clock()
    )
    return _shown(person_id)


@blueprint.delete("/people/<uuid:person_id>/grants")
@blueprint.arguments(s.GrantSchema, location="query")
@blueprint.response(200, s.Person)
@permission("people.manage")
def revoke(asked: dict[str, str], person_id: UUID) -> dict[str, Any]:
    """Take a role from a person."""
    held = services()
    people.revoke(
        held.sessions, held.keyring, person_id, Grant(**asked), actor=signed_in().actor, at=held.clock()
    )
    return _shown(person_id)


@blueprint.get("/people/<uuid:person_id>/tokens")
@blueprint.response(200, s.Tokens)
@permission("tokens.manage")
def list_tokens(person_id: UUID) -> dict[str, Any]:
    """List a person's tokens, never their text."""
    people.get(services().sessions, person_id)
    return {"items": [_token(one) for one in tokens.of_person(services().sessions, person_id)]}


@blueprint.post("/people/<uuid:person_id>/tokens")
@blueprint.arguments(s.NewToken)
@blueprint.response(201, s.CreatedToken)
@permission("tokens.manage")
def create_token(asked: dict[str, Any], person_id: UUID) -> dict[str, Any]:
    """Make a token of a person; its text stands in this answer alone."""
    held, at = services(), services().clock()
    made = tokens.create(
        held.sessions,
        held.keyring,
        person_id,
        asked["name"],
        scopes=asked["scopes"],
        expires_at=at + timedelta(days=asked["days"]),
        actor=signed_in().actor,
        at=at,
        within=signed_in().scopes,
    )
    return _token(made.token) | {"token": made.text}


@blueprint.delete("/tokens/<uuid:token_id>")
@blueprint.response(204)
@permission("tokens.manage")
def end_token(token_id: UUID) -> None:
    """End a token; one that has ended stays so."""
    held = services()
    tokens.end(held.sessions, held.keyring, token_id, actor=signed_in().actor, at=held.clock())


@blueprint.get("/people/<uuid:person_id>/sessions")
@blueprint.response(200, s.OpenSessions)
@permission("sessions.manage")
def list_sessions(person_id: UUID) -> dict[str, Any]:
    """List a person's sessions that still count, the last used first."""
    held = services()
    people.get(held.sessions, person_id)
    found = auth.open_sessions(held.sessions, person_id, at=held.clock(), rules=held.rules)
    return {
        "items": [
            {"session": one.session_hash.hex(), "created_at": one.created_at, "seen_at": one.seen_at}
            for one in found
        ]
    }


@blueprint.delete("/sessions/<string(length=64):session>")
@blueprint.response(204)
@permission("sessions.manage")
def end_session(session: str) -> None:
    """End a session by the name that the list gives; one that has ended stays so."""
    if not _SESSION.fullmatch(session):
        abort(404)
    held = services()
    auth.end_session(
        held.sessions, held.keyring, bytes.fromhex(session), actor=signed_in().actor, at=held.clock()
    )


def _shown(person_id: UUID) -> dict[str, Any]:
    return _person(people.get(services().sessions, person_id))


def _person(known: Known) -> dict[str, Any]:
    return known.person._asdict() | {"grants": [each._asdict() for each in known.grants]}


def _token(token: Token) -> dict[str, Any]:
    return token._asdict() | {"scopes": list(token.scopes)}
