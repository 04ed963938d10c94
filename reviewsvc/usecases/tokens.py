"""Makes, checks and ends tokens, by which programs act for a person within scopes and until a date."""

import os
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from reviewsvc.crypto.tokens import new_token, token_digest
from reviewsvc.db import people
from reviewsvc.db.people import Token
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import facts
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.domain.permissions import PermissionDeniedError, check_scopes, covered
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.people import PersonMissingError

_LONGEST: Final = timedelta(days=366)


class TokenError(ValueError):
    """A token cannot be made as asked."""


class NewToken(NamedTuple):
    """A new token: its text is shown once and kept nowhere."""

    token: Token
    text: str


def create(
    sessions: Sessions,
    keyring: Keyring,
    person_id: UUID,
    name: str,
    *,
    scopes: Collection[str],
    expires_at: datetime,
    actor: Actor,
    at: datetime,
    within: Collection[str] | None = None,
) -> NewToken:
    """Make a token of a person; `within` are the scopes of the token that makes it, if one does.

    Raises TokenError on a bad name or end date, GrantError on a scope that names no permission,
    PersonMissingError if the person is not there or disabled, PermissionDeniedError beyond `within`.
    """
    if not name.strip() or len(name) > 100:  # noqa: PLR2004 - as the message says
        raise TokenError("A token's name has 1 to 100 characters.")
    if not at < expires_at <= at + _LONGEST:
        raise TokenError("A token ends within the next 366 days.")
    if not scopes:
        raise TokenError("A token needs a scope, such as labels.pull or tasks.*.")
    check_scopes(scopes)
    if within is not None and not covered(scopes) <= covered(within):
        raise PermissionDeniedError("A token makes no token that may do more than itself.")
    made = new_token()
    token_id = uuid7(at, os.urandom(RANDOM_BYTES))
    token = Token(token_id, person_id, name.strip(), tuple(sorted(set(scopes))), at, expires_at, None)
    with sessions.begin() as session:
        person = people.by_id(session, person_id, lock=True)
        if person is None or person.disabled_at is not None:
            raise PersonMissingError("There is no such person, or they are disabled.")
        people.add_token(session, token, made.digest)
        said = Said(
            "token_created", facts.Person(str(person_id), token=str(token_id)), secrets(name=token.name)
        )
        record(session, keyring, [said], actor=actor, at=at)
    return NewToken(token, made.text)


def current(sessions: Sessions, text: str, *, at: datetime) -> Current | None:
    """Return who a token stands for; None if it is unknown, ended or past its date."""
    digest = token_digest(text)
    if digest is None:
        return None
    with sessions.begin() as session:
        token = people.token_by_hash(session, digest)
        if token is None or token.ended_at is not None or token.expires_at <= at:
            return None
        person = people.by_id(session, token.person_id)
        if person is None or person.disabled_at is not None:
            return None
        grants = people.grants(session, [person.person_id])[person.person_id]
    return Current(person, tuple(grants), token_id=token.token_id, scopes=token.scopes)


def end(sessions: Sessions, keyring: Keyring, token_id: UUID, *, actor: Actor, at: datetime) -> bool:
    """End a token; False if it had ended or never was."""
    with sessions.begin() as session:
        person_id = people.end_token(session, token_id, at)
        if person_id is None:
            return False
        said = Said("token_ended", facts.Person(str(person_id), token=str(token_id)))
        record(session, keyring, [said], actor=actor, at=at)
    return True


def of_person(sessions: Sessions, person_id: UUID) -> list[Token]:
    """Return a person's tokens, the newest first."""
    with sessions.begin() as session:
        return people.tokens(session, person_id)
