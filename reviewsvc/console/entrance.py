"""Signing in and out."""

from flask import Blueprint, make_response, render_template, request, session
from flask.typing import ResponseReturnValue

from reviewsvc.console.forms import go, own_path, text
from reviewsvc.console.frame import home_of
from reviewsvc.usecases import auth
from reviewsvc.usecases.auth import LogInError, TooManyLogInsError
from reviewsvc.web.actors import session_cookie, signed_in, who
from reviewsvc.web.permissions import anyone_signed_in, public
from reviewsvc.web.services import services

blueprint = Blueprint("entrance", __name__)

WRONG = "The login name or the password is not right. Check both and try again."
TOO_MANY = "Too many tries. Wait a few minutes, then try again."


@blueprint.get("/")
@anyone_signed_in
def home() -> ResponseReturnValue:
    """Go to the first page that this person may open."""
    return go(home_of(signed_in()))


@blueprint.get("/login")
@public
def ask() -> ResponseReturnValue:
    """Show the form; whoever is signed in already goes on."""
    if who() is not None:
        return go(own_path(request.args.get("next", ""), "/"))
    return render_template("login.html", login="", fault=None, next=request.args.get("next", ""))


@blueprint.post("/login")
@public
def enter() -> ResponseReturnValue:
    """Let a person in, or say why not without saying whether anybody has this login."""
    held = services()
    login, after = text("login"), own_path(text("next"), "/")
    try:
        session_id = auth.log_in(
            held.sessions,
            held.keyring,
            login,
            text("password"),
            at=held.clock(),
            rules=held.rules,
            address=request.remote_addr or "",
        )
    except TooManyLogInsError:
        return _again(login, after, TOO_MANY), 429
    except LogInError:
        return _again(login, after, WRONG), 401
    # The page's own session begins afresh, so that nothing from before the log-in is believed after it.
    session.clear()
    answer = make_response(go(after))
    answer.set_cookie(
        session_cookie(is_secure=held.is_secure),
        session_id,
        max_age=held.rules.longest,
        secure=held.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


@blueprint.post("/logout")
@public
def leave() -> ResponseReturnValue:
    """End the session and forget its cookie."""
    held = services()
    found = who()
    if found is not None:
        auth.log_out(held.sessions, held.keyring, found, at=held.clock())
    session.clear()
    answer = make_response(go("/login"))
    name = session_cookie(is_secure=held.is_secure)
    answer.delete_cookie(name, secure=held.is_secure, httponly=True, samesite="Lax")
    return answer


def _again(login: str, after: str, fault: str) -> str:
    return render_template("login.html", login=login, fault=fault, next=after)
