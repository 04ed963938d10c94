"""Who acts in this request: a person by the session in their cookie, or a program by its token."""

from typing import Final

from flask import g, request

from reviewsvc.usecases import auth, tokens
from reviewsvc.usecases.auth import Current
from reviewsvc.web.services import services

API_PREFIX: Final = "/api/"
LOGS_PREFIX: Final = "/logs/"
_BEARER: Final = "bearer"


class NotSignedInError(Exception):
    """Nobody is signed in, or the token is not good."""


def session_cookie(*, is_secure: bool) -> str:
    """Return the name of the session's cookie; the prefix binds it to this host, and needs https."""
    return "__Host-reviewsvc" if is_secure else "reviewsvc"


def is_api() -> bool:
    """Say whether this request is for programs: then cookies count for nothing, but where logs are read."""
    return request.path.startswith((API_PREFIX, LOGS_PREFIX))


def who() -> Current | None:
    """Return who acts in this request, or None; looked up once."""
    if "who" not in g:
        is_program = request.path.startswith(API_PREFIX) or (is_api() and request.authorization is not None)
        g.who = _by_token() if is_program else _by_session()
    found: Current | None = g.who
    return found


def signed_in() -> Current:
    """Return who acts in this request. Raises NotSignedInError if nobody does."""
    found = who()
    if found is None:
        raise NotSignedInError("Send a token that is still good." if is_api() else "Sign in first.")
    return found


def _by_token() -> Current | None:
    given = request.authorization
    if given is None or given.type != _BEARER or not given.token:
        return None
    held = services()
    found = tokens.current(held.sessions, given.token, at=held.clock())
    if found is None:
        auth.refuse(held.sessions, "wrong_token", at=held.clock())
    return found


def _by_session() -> Current | None:
    held = services()
    session_id = request.cookies.get(session_cookie(is_secure=held.is_secure))
    if not session_id:
        return None
    counts = not g.get("is_passive", False)
    return auth.current(held.sessions, session_id, at=held.clock(), rules=held.rules, counts=counts)
