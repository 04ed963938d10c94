"""Lets people in by password and by session, counts who was refused, and ends sessions."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from reviewsvc.crypto.keyed import keyed_hash
from reviewsvc.crypto.passwords import hash_password, needs_rehash, verify_password
from reviewsvc.crypto.tokens import new_token, token_digest
from reviewsvc.db import entrances, people
from reviewsvc.db.entrances import PersonSession
from reviewsvc.db.people import Person
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts
from reviewsvc.domain.addresses import network_of
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.permissions import Grant, PermissionDeniedError, Reach, reach
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.keyring import Keyring

_SESSION: Final = "ses_"
_NOTICE: Final = timedelta(minutes=1)
_SWEEP_AFTER: Final = timedelta(days=2)


class LogInError(Exception):
    """Nobody is let in: the same for a login that nobody has, a wrong password and a disabled person."""


class TooManyLogInsError(LogInError):
    """The login has failed too often lately, whoever asks and whether anybody has it."""


class TooManyReceiptsError(Exception):
    """This address has had too many receipts checked lately without signing in."""


class Rules(NamedTuple):
    """How long sessions live; how many failures of a login, and receipts of an address, a window has."""

    idle: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=12)
    attempts: int = 10
    window: timedelta = timedelta(minutes=15)
    receipts: int = 60


class Current(NamedTuple):
    """Who acts: the person, what they may do, and by which session or token."""

    person: Person
    grants: tuple[Grant, ...]
    session_hash: bytes | None = None
    token_id: UUID | None = None
    scopes: tuple[str, ...] | None = None

    @property
    def actor(self) -> Actor:
        """The actor that entries name."""
        return Actor("token" if self.token_id else "person", str(self.person.person_id))

    def reach(self, permission: str) -> Reach:
        """Return where this person may do something, narrowed by the token's scopes."""
        return reach(self.grants, permission, self.scopes)

    def may(self, permission: str, model: str | None = None, queue: str | None = None) -> bool:
        """Say whether this person may do something for a model or a queue, or, with neither, everywhere."""
        return self.reach(permission).covers(model, queue)

    def require(self, permission: str, model: str | None = None, queue: str | None = None) -> None:
        """Raise PermissionDeniedError unless this person may do it there."""
        if not self.may(permission, model, queue):
            place = f" for {model or queue}" if model or queue else ""
            raise PermissionDeniedError(f"This needs the permission {permission}{place}.")


def log_in(
    sessions: Sessions,
    keyring: Keyring,
    login: str,
    password: str,
    *,
    at: datetime,
    rules: Rules,
    address: str = "",
) -> str:
    """Check a password, begin a session and return its id, which only the person's browser keeps.

    An attempt counts as a failure before the password is looked at, so that attempts at the same time
    cannot exceed the limit; the right password clears the count. Raises LogInError, TooManyLogInsError.
    """
    login = login.strip().lower()[:200]
    with sessions.begin() as session:
        login_hash = keyed_hash(keyring.hash_key(session, "login"), login)
        counted = count_attempt(session, login_hash, at, rules)
        person = people.by_login(session, login) if counted else None
    if not counted:
        refuse(sessions, "too_many_log_ins", at=at)
        raise TooManyLogInsError("Too many failed sign-ins. Try again in some minutes.")
    stored = person.password_hash if person and person.disabled_at is None else None
    if not verify_password(stored, password) or person is None:
        refuse(sessions, "wrong_log_in", at=at)
        raise LogInError("Login or password is wrong.")
    return _begin_session(sessions, keyring, person, password, login_hash, at=at, address=address)


def current(
    sessions: Sessions, session_id: str, *, at: datetime, rules: Rules, counts: bool = True
) -> Current | None:
    """Return who a session's id stands for; None if it has ended, was idle too long or is too old.

    What a script asks by itself does not count as the person's own use.
    """
    session_hash = token_digest(session_id)
    if session_hash is None:
        return None
    with sessions.begin() as session:
        found = entrances.session_by_hash(session, session_hash)
        if found is None or not _is_open(found, at, rules):
            return None
        person = people.by_id(session, found.person_id)
        if person is None or person.disabled_at is not None:
            return None
        if counts and at - found.seen_at >= _NOTICE:
            entrances.touch_session(session, session_hash, at)
        grants = people.grants(session, [person.person_id])[person.person_id]
    return Current(person, tuple(grants), session_hash=session_hash)


def log_out(sessions: Sessions, keyring: Keyring, who: Current, *, at: datetime) -> None:
    """End the session by which this person is here."""
    if who.session_hash is not None:
        _end(sessions, keyring, who.session_hash, "logged_out", actor=who.actor, at=at)


def end_session(
    sessions: Sessions, keyring: Keyring, session_hash: bytes, *, actor: Actor, at: datetime
) -> bool:
    """End somebody's session; False if it had ended."""
    return _end(sessions, keyring, session_hash, "session_ended", actor=actor, at=at)


def open_sessions(sessions: Sessions, person_id: UUID, *, at: datetime, rules: Rules) -> list[PersonSession]:
    """Return a person's sessions that still count, the last used first."""
    with sessions.begin() as session:
        found = entrances.sessions_of(session, person_id, at - rules.idle)
    return [each for each in found if _is_open(each, at, rules)]


def count_attempt(session: Session, login_hash: bytes, at: datetime, rules: Rules) -> bool:
    """Count one attempt to prove who one is as failed; False if there were too many lately."""
    # The lock makes counting and adding one step; without it, attempts at once would all see room.
    entrances.lock_login(session, login_hash)
    if entrances.failures(session, login_hash, at - rules.window) >= rules.attempts:
        return False
    entrances.add_failure(session, login_hash, at)
    return True


def count_receipt(sessions: Sessions, keyring: Keyring, address: str, *, at: datetime, rules: Rules) -> None:
    """Count one receipt that a stranger has checked, as failed log-ins are. Raises TooManyReceiptsError."""
    with sessions.begin() as session:
        hashed = keyed_hash(keyring.hash_key(session, "login"), "receipt", network_of(address))
        counted = count_attempt(session, hashed, at, rules._replace(attempts=rules.receipts))
    if not counted:
        refuse(sessions, "too_many_receipts", at=at)
        raise TooManyReceiptsError(
            "Too many receipts were checked from your address. Try again in some minutes, or run "
            "reviewsvc-verify on your own machine: it asks nobody."
        )


def refuse(sessions: Sessions, reason: str, *, at: datetime) -> None:
    """Count a refusal of somebody who is not logged in; the worker makes one entry a minute of them."""
    with sessions.begin() as session:
        entrances.count_refusal(session, at.astimezone(UTC).replace(second=0, microsecond=0), reason)


def refusals_step(sessions: Sessions, keyring: Keyring, *, at: datetime) -> int:
    """Turn the refusals of whole minutes into one entry a minute; return how many entries."""
    with sessions.begin() as session:
        taken = entrances.take_refusals(session, at.astimezone(UTC).replace(second=0, microsecond=0))
        said = [
            Said("refusals", facts.Refusals(microseconds(minute), dict(counts)))
            for minute, counts in taken.items()
        ]
        if said:
            record(session, keyring, said, actor=None, at=at)
    return len(said)


def sweep_step(sessions: Sessions, *, at: datetime) -> int:
    """Delete sessions, failures and kept answers that have not counted for two days; return how many."""
    with sessions.begin() as session:
        return entrances.sweep(session, at, _SWEEP_AFTER)


def _begin_session(
    sessions: Sessions,
    keyring: Keyring,
    person: Person,
    password: str,
    login_hash: bytes,
    *,
    at: datetime,
    address: str,
) -> str:
    made = new_token(_SESSION)
    renewed = hash_password(password) if needs_rehash(str(person.password_hash)) else None
    said = Said("logged_in", facts.Person(str(person.person_id)), secrets(address=address))
    with sessions.begin() as session:
        entrances.forget_failures(session, login_hash)
        if renewed is not None:
            people.update(session, person.person_id, password_hash=renewed)
        entrances.add_session(session, PersonSession(made.digest, person.person_id, at, at, None))
        record(session, keyring, [said], actor=Actor("person", str(person.person_id)), at=at)
    return made.text


def _end(
    sessions: Sessions, keyring: Keyring, session_hash: bytes, kind: str, *, actor: Actor, at: datetime
) -> bool:
    with sessions.begin() as session:
        person_id = entrances.end_session(session, session_hash, at)
        if person_id is None:
            return False
        record(session, keyring, [Said(kind, facts.Person(str(person_id)))], actor=actor, at=at)
    return True


def _is_open(found: PersonSession, at: datetime, rules: Rules) -> bool:
    return (
        found.ended_at is None and at - found.seen_at < rules.idle and at - found.created_at < rules.longest
    )
