"""Lets a program or a script send an unsafe request twice: the same key gets the same first answer."""

import hashlib
from typing import Final

from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from reviewsvc import telemetry
from reviewsvc.usecases import repeats
from reviewsvc.usecases.repeats import Call, Said
from reviewsvc.web.actors import who
from reviewsvc.web.origins import UNSAFE
from reviewsvc.web.services import services

HEADER: Final = "Idempotency-Key"
_LONGEST: Final = 200
_OUR_FAULT: Final = 500
_IN_PASSING: Final = frozenset({"csrf_token"})

_log = telemetry.logger("web")


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
    place = f"{request.method} {request.path}"
    made = repeats.call(str(current_app.secret_key), str(person.person.person_id), place, key, _asked())
    said = repeats.begin(held.sessions, made, at=held.clock())
    if said is None:
        g.repeat = made
        return None
    answer = Response(said.body, said.status, content_type=said.media)
    if said.location:
        answer.headers["Location"] = said.location
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _end(answer: Response) -> Response:
    made: Call | None = g.pop("repeat", None)
    if made is None:
        return answer
    held = services()
    is_kept = answer.status_code < _OUR_FAULT and not answer.is_streamed
    try:
        if is_kept:
            location = answer.headers.get("Location")
            said = Said(answer.status_code, answer.content_type or "", location, answer.get_data())
            repeats.keep(held.sessions, made, said, at=held.clock())
        else:
            repeats.abandon(held.sessions, made)
    except SQLAlchemyError:
        # What was done is done and is told; sent again within a minute it is refused as still being answered.
        _log.warning("answer not kept", exc_info=True)
    return answer


def _asked() -> str:
    sent = [f"{name}={value}" for name, value in request.form.items(multi=True) if name not in _IN_PASSING]
    body = "\0".join(sent).encode("utf-8", "surrogatepass") if sent else request.get_data()
    return hashlib.sha256(request.query_string + b"\0" + body).hexdigest()
