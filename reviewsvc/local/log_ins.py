"""Log-ins that are made when the service is started on this machine, each shown once."""

import getpass
from datetime import UTC, datetime
from typing import NamedTuple

from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import people
from reviewsvc.usecases.keyring import Keyring


class LogIn(NamedTuple):
    """A log-in whose password is known only now."""

    login: str
    password: str
    role: str
    name: str


def system_user() -> Actor:
    """Return the actor of whoever runs this command."""
    return Actor("cli", getpass.getuser())


def add(sessions: Sessions, keyring: Keyring, login: str, name: str, role: str) -> LogIn:
    """Add a person with one role, held everywhere, and a new password."""
    made = LogIn(login, people.generate_password(), role, name)
    actor, at = system_user(), datetime.now(UTC)
    person_id = people.add(sessions, keyring, login, name, made.password, actor=actor, at=at)
    people.grant(sessions, keyring, person_id, Grant(role), actor=actor, at=at)
    return made


def renew(sessions: Sessions, keyring: Keyring, login: str) -> str:
    """Give a person a new password, which is returned. Raises PersonMissingError."""
    person_id = people.get_by_login(sessions, login).person.person_id
    password = people.generate_password()
    people.set_password(sessions, keyring, person_id, password, actor=system_user(), at=datetime.now(UTC))
    return password


def first_admin(sessions: Sessions, keyring: Keyring) -> LogIn | None:
    """Add an administrator where there is nobody yet; None where there is somebody."""
    if people.page(sessions, limit=1):
        return None
    return add(sessions, keyring, "admin", "Administrator", "admin")
