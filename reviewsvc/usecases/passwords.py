"""Lets a person change their own password."""

from datetime import datetime

from reviewsvc.crypto.keyed import keyed_hash
from reviewsvc.crypto.passwords import verify_password
from reviewsvc.db import entrances
from reviewsvc.db.sessions import Sessions
from reviewsvc.usecases import people
from reviewsvc.usecases.auth import Current, LogInError, Rules, TooManyLogInsError, count_attempt
from reviewsvc.usecases.keyring import Keyring


def change(
    sessions: Sessions, keyring: Keyring, who: Current, old: str, new: str, *, at: datetime, rules: Rules
) -> None:
    """Change one's own password; every other session of this person ends.

    The old password counts as a try to log in, so that a stolen session is no way to guess it. Raises
    LogInError, TooManyLogInsError, PersonError.
    """
    person = who.person
    with sessions.begin() as session:
        login_hash = keyed_hash(keyring.hash_key(session, "login"), person.login)
        is_counted = count_attempt(session, login_hash, at, rules)
    if not is_counted:
        raise TooManyLogInsError("Too many failed tries. Try again in some minutes.")
    if not verify_password(person.password_hash, old):
        raise LogInError("This is not your password now.")
    people.set_password(
        sessions, keyring, person.person_id, new, actor=who.actor, at=at, spare=who.session_hash
    )
    with sessions.begin() as session:
        entrances.forget_failures(session, login_hash)
