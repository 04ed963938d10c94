"""Lets a program or a script send an unsafe request twice: the same key gets the same first answer."""

import hashlib
from typing import Final

from flask import Flask, Response, g, request

from reviewsvc.usecases import repeats
from reviewsvc.usecases.repeats import Kept, Repeat
from reviewsvc.web.actors import who
from reviewsvc.web.origins import UNSAFE
from reviewsvc.web.services import services

HEADER: Final = "Idempotency-Key"
_LONGEST: Final = 200
_OUR_FAULT: Final = 500
_IN_PASSING: Final = frozenset({"csrf_token"})


class UnfitKeyError(ValueError):
    """The key is too long, or no plain text."""


def answer_once(app: Flask) -> None:
    """Watch the keys of the application's unsafe requests; call it after whatever may refuse them."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> Response | None:
    key = request.headers.get(HEADER)
    person = who() if key and request.method in UNSAFE and request.endpoint else None
    if key is None or person is None:
        return None
    if len(key) > _LONGEST or not key.isascii() or not key.isprintable():
        raise UnfitKeyError(f"An Idempotency-Key has up to {_LONGEST} printable characters.")
    held = services()
    path = f"{request.method} {request.path}"
    key_hash = _hash(str(person.person.person_id), path, key)
    found = repeats.begin(held.sessions, key_hash, _digest(path), at=held.clock())
    if found is None:
        g.repeat = (key_hash, _digest(path))
        return None
    answer = Response(found.kept.body, found.status, content_type=found.kept.media)
    if found.kept.location:
        answer.headers["Location"] = found.kept.location
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _end(answer: Response) -> Response:
    taken = g.pop("repeat", None)
    if taken is not None:
        key_hash, digest = taken
        held = services()
        if answer.status_code >= _OUR_FAULT or answer.is_streamed:
            repeats.abandon(held.sessions, key_hash)
        else:
            kept = Kept(digest, answer.content_type or "", answer.headers.get("Location"), answer.get_data())
            repeats.keep(held.sessions, key_hash, Repeat(answer.status_code, kept), at=held.clock())
    return answer


def _digest(path: str) -> bytes:
    sent = [f"{name}={value}" for name, value in request.form.items(multi=True) if name not in _IN_PASSING]
    return _hash(path, *sent) if sent else _hash(path, request.get_data(as_text=True))


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
