"""Tells what went wrong: problem+json (RFC 9457) to programs and scripts, a page to people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import structlog
from flask import Flask, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from reviewsvc import telemetry
from reviewsvc.usecases import auth
from reviewsvc.web.actors import is_api
from reviewsvc.web.errors import Known, known, words
from reviewsvc.web.services import services

MEDIA: Final = "application/problem+json"
_COUNTED: Final = frozenset({"not_granted", "csrf", "cross_site"})
# Classes of what PostgreSQL says when a connection broke, or it is being stopped or started.
_AWAY: Final = ("08", "57P")
_OUR_FAULT: Final = 500
_SHOWN: Final = 100

_FOR_PROGRAMS: Final[Mapping[int, str]] = {
    400: "Send what /api/docs describes for this path.",
    405: "Use a method that the header Allow names.",
    415: "Send JSON, and say so: Content-Type: application/json.",
    422: "Send what /api/docs describes for this path.",
}
_log = telemetry.logger("web")


def tell(app: Flask) -> None:
    """Answer every error of the application by the table of errors."""
    app.register_error_handler(Exception, _answer)


def is_scripted() -> bool:
    """Say whether a program or a script asks, which reads JSON, and not a person's browser."""
    if is_api() or "Idempotency-Key" in request.headers:
        return True
    if request.headers.get("Sec-Fetch-Dest") == "empty":
        return True
    return request.accept_mimetypes.best == "application/json"


def _answer(error: Exception) -> ResponseReturnValue:
    if isinstance(error, RequestRedirect):
        return error.get_response()
    said = known(error)
    _note(error, said)
    if is_scripted():
        return _problem(error, said)
    if said.code == "not_signed_in" and request.method == "GET":
        return redirect(f"/login?next={quote(request.path)}", 303)
    return _page(error, said)


def _note(error: Exception, said: Known) -> None:
    if said.status >= _OUR_FAULT:
        _log.error("not answered", code=said.code, exc_info=None if _is_away(error) else error)
    elif said.code in _COUNTED:
        held = services()
        try:
            auth.refuse(held.sessions, said.code, at=held.clock())
        except Exception:  # noqa: BLE001 - the refusal itself must still be told
            _log.warning("refusal not counted", code=said.code)


def _is_away(error: Exception) -> bool:
    """Say whether the database is away: that each request meets it is no news, and needs no trace."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or "08"
    return isinstance(error, OperationalError | InterfaceError) and state.startswith(_AWAY)


def _problem(error: Exception, said: Known) -> Response:
    faults = list(_faults(error))
    body: dict[str, Any] = {
        "type": f"urn:reviewsvc:problem:{said.code}",
        "title": said.title,
        "status": said.status,
        "detail": _detail(error, said.status, faults),
        "code": said.code,
        "request_id": g.get("request_id"),
    }
    if faults:
        body["errors"] = faults
    # Half a character that somebody sent is told as JSON's escape: as text it cannot be sent.
    told = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    answer = Response(told, said.status, mimetype=MEDIA)
    return _with_headers(answer, error, said)


def _detail(error: Exception, status: int, faults: Sequence[Mapping[str, Any]]) -> str:
    """What a program's author reads: the fields at fault where the error has no words of its own."""
    if not isinstance(error, HTTPException) or not is_api():
        return words(error, status)
    told = [": ".join(filter(None, (each["field"], each["expected"]))) for each in faults]
    return " ".join(told) or _FOR_PROGRAMS.get(status) or words(error, status)


def _page(error: Exception, said: Known) -> Response:
    if said.status >= _OUR_FAULT:
        # Whatever broke may break the look-up of the person too; the page can do without.
        g.setdefault("who", None)
    back = {"href": "/login", "label": "Sign in"} if said.status == 401 else _BACK  # noqa: PLR2004 - a status
    page = render_template(
        "error.html",
        status=said.status,
        code=said.code,
        title=said.title,
        words=words(error, said.status),
        back=back,
        request_id=g.get("request_id"),
    )
    return _with_headers(make_response(page, said.status), error, said)


_BACK: Final = {"href": "/", "label": "To your first page"}


def _with_headers(answer: Response, error: Exception, said: Known) -> Response:
    if said.status == 401 and is_api():  # noqa: PLR2004 - a status
        answer.headers["WWW-Authenticate"] = "Bearer"
    if said.status in {429, 503}:
        answer.headers["Retry-After"] = "5"
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After"}:
                answer.headers[name] = value
    structlog.contextvars.bind_contextvars(code=said.code)
    return answer


def _faults(error: Exception) -> Iterator[Mapping[str, Any]]:
    """Yield an error's faults by field: its own, or those that marshmallow found in what was sent."""
    own = getattr(error, "errors", None)
    if isinstance(own, list | tuple):
        yield from (each for each in own if isinstance(each, Mapping))
    data = getattr(error, "data", None)
    messages = data.get("messages") if isinstance(data, Mapping) else None
    for place, found in (messages or {}).items():
        sent = request.get_json(silent=True) if place == "json" else request.args.to_dict()
        yield from _flat(found, sent, "")


def _flat(found: object, sent: object, path: str) -> Iterator[Mapping[str, Any]]:
    if isinstance(found, Mapping):
        for key, inner in found.items():
            yield from _flat(inner, _member(sent, key), f"{path}.{key}" if path else str(key))
    elif isinstance(found, list):
        for text in found:
            yield {"field": path, "expected": str(text), "got": _shown(sent)}


def _member(sent: object, key: object) -> object:
    if isinstance(sent, Mapping):
        return sent.get(key)
    if isinstance(sent, list) and isinstance(key, int) and key < len(sent):
        return sent[key]
    return None


def _shown(sent: object) -> str | None:
    return None if sent is None else json.dumps(sent, ensure_ascii=False, default=str)[:_SHOWN]
