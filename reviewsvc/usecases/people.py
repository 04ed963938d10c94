"""Adds people, gives and takes their roles, and ends them; each act is an entry."""

import os
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from reviewsvc.crypto.passwords import PasswordError, hash_password
from reviewsvc.db import entrances
from reviewsvc.db import people as rows
from reviewsvc.db.people import Person
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import RANDOM_BYTES, uuid7
from reviewsvc.domain.permissions import Grant, check_grant
from reviewsvc.usecases import activity
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._%+@-]{0,199}")
_SHORTEST: Final = 12
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 5


class PersonError(ValueError):
    """A person cannot be added or changed as asked; `field` is what does not fit."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class PersonMissingError(LookupError):
    """There is no such person."""


class LoginTakenError(ValueError):
    """Another person has this login."""


class Known(NamedTuple):
    """A person and the roles that they hold."""

    person: Person
    grants: tuple[Grant, ...]


def generate_password() -> str:
    """Make a password of 25 letters and digits (123 bits) in groups, to be shown once."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(_GROUPS))


def add(
    sessions: Sessions, keyring: Keyring, login: str, name: str, password: str, *, actor: Actor, at: datetime
) -> UUID:
    """Add a person who logs in with this password, and return their id.

    Raises PersonError on an unfit login, name or password, LoginTakenError if the login is not free.
    """
    login = _checked_login(login)
    if not name.strip() or len(name) > 200:  # noqa: PLR2004 - as the message says
        raise PersonError("name", "A name has 1 to 200 characters.")
    hashed = _hashed(password)
    person_id = uuid7(at, os.urandom(RANDOM_BYTES))
    with sessions.begin() as session:
        added = rows.add(
            session, person_id=person_id, login=login, name=name.strip(), password_hash=hashed, created_at=at
        )
        if not added:
            raise LoginTakenError(f"The login {login} is taken.")
        hidden = activity.secrets(login=login, name=name.strip())
        said = Said("person_added", facts.Person(str(person_id)), hidden)
        record(session, keyring, [said], actor=actor, at=at)
    return person_id


def set_password(
    sessions: Sessions,
    keyring: Keyring,
    person_id: UUID,
    password: str,
    *,
    actor: Actor,
    at: datetime,
    spare: bytes | None = None,
) -> None:
    """Give a person another password and end their sessions, but the one to spare."""
    hashed = _hashed(password)

    def change(session: Session) -> bool:
        rows.update(session, person_id, password_hash=hashed)
        entrances.end_sessions_of(session, person_id, at, spare=spare)
        return True

    said = Said("password_set", facts.Person(str(person_id)))
    _change(sessions, keyring, person_id, said, change, actor=actor, at=at)


def disable(sessions: Sessions, keyring: Keyring, person_id: UUID, *, actor: Actor, at: datetime) -> bool:
    """Let a person in no more, and end their sessions; False if they were disabled already."""

    def change(session: Session) -> bool:
        known = rows.by_id(session, person_id)
        if known is None or known.disabled_at is not None:
            return False
        rows.update(session, person_id, disabled_at=at)
        entrances.end_sessions_of(session, person_id, at)
        return True

    said = Said("person_disabled", facts.Person(str(person_id)))
    return _change(sessions, keyring, person_id, said, change, actor=actor, at=at)


def enable(sessions: Sessions, keyring: Keyring, person_id: UUID, *, actor: Actor, at: datetime) -> bool:
    """Let a disabled person in again; False if they were not disabled."""

    def change(session: Session) -> bool:
        known = rows.by_id(session, person_id)
        if known is None or known.disabled_at is None:
            return False
        rows.update(session, person_id, disabled_at=None)
        return True

    said = Said("person_enabled", facts.Person(str(person_id)))
    return _change(sessions, keyring, person_id, said, change, actor=actor, at=at)


def grant(
    sessions: Sessions, keyring: Keyring, person_id: UUID, given: Grant, *, actor: Actor, at: datetime
) -> bool:
    """Give a person a role; False if they hold it already. Raises GrantError if there is no such role."""
    check_grant(given)
    said = Said("granted", facts.Person(str(person_id), role=given.role, scope=given.scope))

    def change(session: Session) -> bool:
        return rows.add_grant(session, person_id, given)

    return _change(sessions, keyring, person_id, said, change, actor=actor, at=at)


def revoke(
    sessions: Sessions, keyring: Keyring, person_id: UUID, taken: Grant, *, actor: Actor, at: datetime
) -> bool:
    """Take a role from a person; False if they do not hold it."""
    said = Said("grant_ended", facts.Person(str(person_id), role=taken.role, scope=taken.scope))

    def change(session: Session) -> bool:
        return rows.remove_grant(session, person_id, taken)

    return _change(sessions, keyring, person_id, said, change, actor=actor, at=at)


def set_preferences(sessions: Sessions, person_id: UUID, **chosen: str | bool) -> None:
    """Keep how a person wants the pages: `theme`, `single_keys`, `time_zone`; it is no entry."""
    with sessions.begin() as session:
        rows.update(session, person_id, **chosen)


def get(sessions: Sessions, person_id: UUID) -> Known:
    """Return a person with their roles. Raises PersonMissingError."""
    with sessions.begin() as session:
        found = rows.by_id(session, person_id)
        if found is None:
            raise PersonMissingError("There is no such person.")
        return Known(found, tuple(rows.grants(session, [person_id])[person_id]))


def get_by_login(sessions: Sessions, login: str) -> Known:
    """Return the person with this login. Raises PersonMissingError."""
    with sessions.begin() as session:
        found = rows.by_login(session, login.strip().lower())
        if found is None:
            raise PersonMissingError(f"Nobody has the login {login}.")
        return Known(found, tuple(rows.grants(session, [found.person_id])[found.person_id]))


def page(sessions: Sessions, after_login: str = "", limit: int = 100) -> list[Known]:
    """Return people with their roles in the order of their logins, after one of them."""
    with sessions.begin() as session:
        found = rows.page(session, after_login, limit)
        held = rows.grants(session, [person.person_id for person in found])
        return [Known(person, tuple(held[person.person_id])) for person in found]


def _change(
    sessions: Sessions,
    keyring: Keyring,
    person_id: UUID,
    said: Said,
    change: Callable[[Session], bool],
    *,
    actor: Actor,
    at: datetime,
) -> bool:
    with sessions.begin() as session:
        if rows.by_id(session, person_id, lock=True) is None:
            raise PersonMissingError("There is no such person.")
        changed = change(session)
        if changed:
            record(session, keyring, [said], actor=actor, at=at)
    return changed


def _checked_login(login: str) -> str:
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise PersonError(
            "login",
            "A login has 1 to 200 letters, digits or . _ % + @ - and begins with a letter or digit.",
        )
    return login


def _hashed(password: str) -> str:
    if len(password) < _SHORTEST:
        raise PersonError("password", f"A password has at least {_SHORTEST} characters.")
    try:
        return hash_password(password)
    except PasswordError as error:
        raise PersonError("password", str(error)) from error
