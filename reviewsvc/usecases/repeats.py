"""Answers a repeated call as the first time: a key is taken before the work and keeps the answer after it."""

import hmac
import os
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from reviewsvc.crypto.envelope import RANDOM_BYTES, Cipher
from reviewsvc.crypto.keyed import keyed_hash
from reviewsvc.db import entrances
from reviewsvc.db.entrances import Answer
from reviewsvc.db.sessions import Sessions

_WORKING: Final = 0
_GIVEN_UP: Final = timedelta(minutes=1)


class KeyReusedError(ValueError):
    """The key was sent before with another request."""


class StillAnsweringError(Exception):
    """The first request with this key is still being answered."""


class Call(NamedTuple):
    """One call: the hash under which its answer is found, the key that opens it, what was asked."""

    key_hash: bytes
    seal_key: bytes
    asked: bytes


class Said(Struct, frozen=True):
    """What a call was answered."""

    status: int
    media: str
    location: str | None
    body: bytes


class _Kept(Struct, frozen=True, array_like=True):
    asked: bytes
    ciphertext: bytes = b""
    commit: bytes = b""


def call(secret: str, person: str, place: str, key: str, asked: str) -> Call:
    """Name a call of a person at a place (method and path) by the key that they chose.

    The answer may hold what only its caller may see, so it is sealed with what only the caller has: the key
    they chose, mixed with the service's own secret so that a short one cannot be guessed.
    """
    named = (person, place, key)
    hashed = secret.encode()
    return Call(
        keyed_hash(hashed, "find", *named),
        keyed_hash(hashed, "seal", *named),
        keyed_hash(hashed, "asked", *named, asked),
    )


def begin(sessions: Sessions, made: Call, *, at: datetime) -> Said | None:
    """Take the call's key for it, or return what the same call was answered.

    Raises KeyReusedError, StillAnsweringError.
    """
    mark = Answer(_WORKING, msgspec.msgpack.encode(_Kept(made.asked)))
    with sessions.begin() as session:
        # A process that ended in the middle of its work never answers: after a minute its key is free again.
        entrances.drop_answer(session, made.key_hash, status=_WORKING, before=at - _GIVEN_UP)
        if entrances.keep_answer(session, made.key_hash, mark, at):
            return None
        found = entrances.answer_to(session, made.key_hash)
    kept = msgspec.msgpack.decode(found.body, type=_Kept) if found else None
    if kept and not hmac.compare_digest(kept.asked, made.asked):
        raise KeyReusedError("Take a new key for each request, and the same one only to repeat it.")
    if found is None or kept is None or found.status == _WORKING:
        raise StillAnsweringError("Send it again in a moment.")
    return msgspec.msgpack.decode(Cipher(made.seal_key).open(kept.ciphertext, kept.commit), type=Said)


def keep(sessions: Sessions, made: Call, said: Said, *, at: datetime) -> None:
    """Keep what the call was answered under the key that was taken for it."""
    sealed = Cipher(made.seal_key).seal(msgspec.msgpack.encode(said), os.urandom(RANDOM_BYTES))
    body = msgspec.msgpack.encode(_Kept(made.asked, sealed.ciphertext, sealed.commit))
    with sessions.begin() as session:
        entrances.drop_answer(session, made.key_hash, status=_WORKING, before=None)
        entrances.keep_answer(session, made.key_hash, Answer(said.status, body), at)


def abandon(sessions: Sessions, made: Call) -> None:
    """Free the key of a call that came to nothing, so that it can be tried again."""
    with sessions.begin() as session:
        entrances.drop_answer(session, made.key_hash, status=_WORKING, before=None)
