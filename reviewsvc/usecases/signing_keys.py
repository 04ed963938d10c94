"""The history of the keys that sign: which are good from when to when, said in entries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from reviewsvc.crypto.notes import NoteError, Verifier, parse_verifier
from reviewsvc.db import installations, seals
from reviewsvc.db.hot import guards
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import signing_key_row
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.key_history import SigningKey, read_history
from reviewsvc.usecases.keyring import Keyring

_ABOUT: Final = "signing_key"


class SigningKeyRefusedError(ValueError):
    """What was to be said of a signing key cannot be; the text says why."""


def history(session: Session) -> list[SigningKey]:
    """Return every key that was ever announced, the newest first."""
    return read_history(stored.keys(Sessions.psycopg(session)))


def announce(
    sessions: Sessions,
    keyring: Keyring,
    vkeys: Sequence[str],
    *,
    overlap: timedelta = timedelta(0),
    actor: Actor,
    at: datetime,
) -> list[SigningKey]:
    """Let keys sign from now on; those of the same kind that signed so far end after the overlap.

    A key that is good already is left as it is. Return those that are new. Raises SigningKeyRefusedError.
    """
    with sessions.begin() as session:
        seals.lock_keys(session)
        known = {key.verifier.text(): key for key in history(session)}
        row = installations.get(session)
        wanted = [_checked(vkey, row.origin if row else "") for vkey in vkeys]
        # A clock that went back changes nothing of when it was signed: ends lie behind that.
        signed_at = _signed_at(session)
        now = max(microseconds(at), signed_at)
        fresh = [each for each in wanted if not _is_known(known.get(each.text()), now)]
        kinds = {each.kind for each in fresh}
        ending = max(now + overlap // timedelta(microseconds=1), signed_at + 1)
        said = [f.SigningKey(each.text(), now) for each in fresh]
        said += [
            f.SigningKey(vkey, key.valid_from, ending)
            for vkey, key in known.items()
            if key.verifier.kind in kinds and key.valid_until is None
        ]
        _say(session, keyring, said, actor=actor, at=at)
        if not known:
            # Nothing was signed before: this database holds all of it.
            guards.confirm(Sessions.psycopg(session), at)
        return [SigningKey(each, now, None) for each in fresh]


def end(
    sessions: Sessions, keyring: Keyring, vkey: str, *, until: datetime, actor: Actor, at: datetime
) -> SigningKey:
    """Set the moment from which a key signs no more. Raises SigningKeyRefusedError."""
    with sessions.begin() as session:
        seals.lock_keys(session)
        known = {key.verifier.text(): key for key in history(session)}
        found = known.get(vkey)
        if found is None or (found.valid_until is not None and found.valid_until <= microseconds(at)):
            raise SigningKeyRefusedError("There is no such signing key, or it has ended.")
        ending = max(microseconds(until), found.valid_from, _signed_at(session) + 1)
        ended = found._replace(valid_until=ending)
        said = f.SigningKey(vkey, ended.valid_from, ended.valid_until)
        _say(session, keyring, [said], actor=actor, at=at)
        return ended


def _signed_at(session: Session) -> int:
    """When it was last signed, in microseconds; whatever the clock says since, entries go on from there."""
    return stored.root_said_at(Sessions.psycopg(session))


def _checked(vkey: str, origin: str) -> Verifier:
    try:
        found = parse_verifier(vkey)
    except NoteError as fault:
        raise SigningKeyRefusedError(f"this is no verifier key: {fault}") from fault
    if found.name != origin:
        raise SigningKeyRefusedError(f"this key is named {found.name}; the logs here are those of {origin}")
    return found


def _is_known(known: SigningKey | None, at_us: int) -> bool:
    if known is not None and known.valid_until is not None and known.valid_until <= at_us:
        raise SigningKeyRefusedError(f"the key {known.verifier.text()} has ended: make another")
    return known is not None


def _say(
    session: Session, keyring: Keyring, said: Sequence[f.SigningKey], *, actor: Actor, at: datetime
) -> None:
    acts = [Said("signing_key", facts, about=_ABOUT) for facts in said]
    for place, facts in zip(record(session, keyring, acts, actor=actor, at=at), said, strict=True):
        seals.add_key(session, signing_key_row(place, facts))
