"""Finds a subject by the name that producers give it; what is kept knows it by its key's id only."""

from reviewsvc.crypto.keyed import keyed_hash
from reviewsvc.db import people, subjects
from reviewsvc.db.sessions import Session
from reviewsvc.domain.entries import Actor
from reviewsvc.usecases.keyring import Keyring

LONGEST_REASON = 2_000


class SubjectMissingError(LookupError):
    """Nothing is kept about this subject."""

    code = "subject_missing"


class ReasonError(ValueError):
    """No reason is given, or one that is too long."""

    code = "unfit_reason"


class HeldError(RuntimeError):
    """A legal hold stands against it."""

    code = "held"


def key_of(session: Session, keyring: Keyring, subject: str) -> bytes:
    """Return the id of a subject's key. Raises SubjectMissingError."""
    index = keyed_hash(keyring.hash_key(session, "subject"), subject)
    found = subjects.key_of(session, index)
    if found is None:
        raise SubjectMissingError(
            "Nothing is kept about this subject, or nothing any more. Write it exactly as producers do."
        )
    return found


def checked_reason(reason: str) -> str:
    """Return a reason without the blanks around it. Raises ReasonError."""
    cleaned = reason.strip()
    if not 0 < len(cleaned) <= LONGEST_REASON:
        raise ReasonError(
            f"Give a reason of at most {LONGEST_REASON} characters; it is kept, so name no one."
        )
    return cleaned


def said_by(actor: Actor) -> str:
    """Write an actor as rows hold it."""
    return f"{actor.kind}:{actor.id}"


def is_same_person(session: Session, one: str, other: Actor) -> bool:
    """Say whether two actors are one person; a command in the name of a log-in is that person's."""
    return _person(session, *one.split(":", 1)) == _person(session, other.kind, other.id)


def _person(session: Session, kind: str, name: str) -> str:
    known = people.by_login(session, name.lower()) if kind == "cli" else None
    return str(known.person_id) if known else name
