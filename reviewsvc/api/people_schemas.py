"""What the API says and reads of people, tokens and sessions."""

from typing import Final

from marshmallow import Schema, fields, validate

from reviewsvc.api.me import GrantSchema

_LONGEST_PAGE: Final = 500
__all__ = ["GrantSchema"]


class PeoplePage(Schema):
    """Which part of the list is asked for."""

    after = fields.String(load_default="", metadata={"description": "`next` of the page before"})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, _LONGEST_PAGE))


class Person(Schema):
    """A person and the roles that they hold."""

    person_id = fields.UUID(required=True)
    login = fields.String(required=True)
    name = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    disabled_at = fields.AwareDateTime(allow_none=True)
    grants = fields.List(fields.Nested(GrantSchema), required=True)


class People(Schema):
    """A part of the list of people."""

    items = fields.List(fields.Nested(Person), required=True)
    next = fields.String(allow_none=True)


class NewPerson(Schema):
    """A person to be added."""

    login = fields.String(required=True, validate=validate.Length(1, 200))
    name = fields.String(load_default="", validate=validate.Length(0, 200))
    password = fields.String(
        load_default="", metadata={"description": "At least 12 characters; else one is made"}
    )


class AddedPerson(Person):
    """A person that was added, with the password that was made for them."""

    password = fields.String(allow_none=True)


class Token(Schema):
    """A token, without its text."""

    token_id = fields.UUID(required=True)
    person_id = fields.UUID(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(allow_none=True)


class Tokens(Schema):
    """A person's tokens."""

    items = fields.List(fields.Nested(Token), required=True)


class NewToken(Schema):
    """A token to be made."""

    name = fields.String(required=True, validate=validate.Length(1, 100))
    scopes = fields.List(fields.String(), required=True, validate=validate.Length(1, 50))
    days = fields.Integer(load_default=90, validate=validate.Range(1, 366))


class CreatedToken(Token):
    """A new token with its text, which is shown once."""

    token = fields.String(required=True)


class OpenSession(Schema):
    """A session of a person; its name is the hash of an id that only their browser has."""

    session = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    seen_at = fields.AwareDateTime(required=True)


class OpenSessions(Schema):
    """A person's sessions."""

    items = fields.List(fields.Nested(OpenSession), required=True)
