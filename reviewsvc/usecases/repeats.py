"""Answers a repeated call as the first time: a key is taken before the work and keeps the answer after it."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from reviewsvc.db import entrances
from reviewsvc.db.entrances import Answer
from reviewsvc.db.sessions import Sessions

_WORKING: Final = 0
_GIVEN_UP: Final = timedelta(minutes=1)


class KeyReusedError(ValueError):
    """The key was sent before with another request."""


class StillAnsweringError(Exception):
    """The first request with this key is still being answered."""


class Kept(Struct, frozen=True):
    """A kept answer, and the digest of the request that it answers."""

    request: bytes
    media: str = ""
    location: str | None = None
    body: bytes = b""


class Repeat(Struct, frozen=True):
    """An answer to be said again."""

    status: int
    kept: Kept


def begin(sessions: Sessions, key_hash: bytes, request: bytes, *, at: datetime) -> Repeat | None:
    """Take a key for a request, or return what the same request was answered.

    `request` is a digest of what was sent. Raises KeyReusedError, StillAnsweringError.
    """
    mark = Answer(_WORKING, msgspec.msgpack.encode(Kept(request)))
    with sessions.begin() as session:
        # A process that ended in the middle of its work never answers: after a minute its key is free again.
        entrances.drop_answer(session, key_hash, status=_WORKING, before=at - _GIVEN_UP)
        if entrances.keep_answer(session, key_hash, mark, at):
            return None
        found = entrances.answer_to(session, key_hash)
    if found is None:
        raise StillAnsweringError("Send it again in a moment.")
    kept = msgspec.msgpack.decode(found.body, type=Kept)
    if kept.request != request:
        raise KeyReusedError("Take a new key for each request, and the same one only to repeat it.")
    if found.status == _WORKING:
        raise StillAnsweringError("Send it again in a moment.")
    return Repeat(found.status, kept)


def keep(sessions: Sessions, key_hash: bytes, answer: Repeat, *, at: datetime) -> None:
    """Keep the answer under the key that was taken for it."""
    with sessions.begin() as session:
        entrances.drop_answer(session, key_hash, status=_WORKING, before=None)
        entrances.keep_answer(
            session, key_hash, Answer(answer.status, msgspec.msgpack.encode(answer.kept)), at
        )


def abandon(sessions: Sessions, key_hash: bytes) -> None:
    """Free a key whose request came to nothing, so that it can be tried again."""
    with sessions.begin() as session:
        entrances.drop_answer(session, key_hash, status=_WORKING, before=None)
