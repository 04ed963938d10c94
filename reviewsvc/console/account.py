"""A person's own page: habits, password, sessions; and the list of keys."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from flask import Blueprint, flash, make_response, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from reviewsvc.console import key_map
from reviewsvc.console.forms import Faults, Form, go, own_path, text
from reviewsvc.console.frame import THEME_COOKIE, THEMES
from reviewsvc.console.key_map import KeyMapError
from reviewsvc.db.entrances import PersonSession
from reviewsvc.usecases import auth, passwords, people
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.people import PersonError
from reviewsvc.web.actors import signed_in, who
from reviewsvc.web.permissions import anyone_signed_in, public
from reviewsvc.web.services import services

blueprint = Blueprint("account", __name__)

_YEAR_SECONDS: Final = 365 * 24 * 3600
_PATH: Final = "/account"
_KEYS: Final = (
    ("agree", "Agree"),
    ("correct", "Correct"),
    ("note", "Note"),
    ("undo", "Undo"),
    ("escalate", "Escalate"),
    ("snooze", "Put off"),
    ("flag", "Flag"),
    ("down", "Next row"),
    ("up", "Row before"),
    ("search", "Search"),
    ("help", "Keys"),
)


@blueprint.get(_PATH)
@anyone_signed_in
def account() -> str:
    """Show a person their own page."""
    return _page(signed_in(), Form())


@blueprint.post("/preferences")
@anyone_signed_in
def prefer() -> ResponseReturnValue:
    """Keep how a person wants the pages."""
    found = signed_in()
    theme, zone = text("theme"), text("time_zone")
    if theme not in THEMES or zone not in available_timezones():
        raise BadRequest
    people.set_preferences(
        services().sessions,
        found.person.person_id,
        theme=theme,
        single_keys=text("single_keys") == "on",
        time_zone=zone,
    )
    flash("Saved")
    return go(own_path(text("next"), _PATH))


@blueprint.post("/preferences/theme")
@public
def choose_theme() -> ResponseReturnValue:
    """Keep the colours, for the person and for this browser."""
    found, theme = who(), text("theme")
    if theme not in THEMES:
        raise BadRequest
    if found is not None:
        people.set_preferences(services().sessions, found.person.person_id, theme=theme)
    answer = make_response(go(own_path(text("next"), "/")))
    is_secure = services().is_secure
    answer.set_cookie(
        THEME_COOKIE, theme, max_age=_YEAR_SECONDS, secure=is_secure, httponly=True, samesite="Lax"
    )
    return answer


@blueprint.post("/preferences/keys")
@anyone_signed_in
def choose_keys() -> ResponseReturnValue:
    """Keep which keys act, for this browser."""
    try:
        found = key_map.read()
    except KeyMapError as error:
        return _page(signed_in(), Form(), str(error)), 422
    flash("The keys of this browser are set")
    answer = make_response(go(_PATH))
    answer.set_cookie(
        key_map.COOKIE,
        key_map.changed(found),
        max_age=_YEAR_SECONDS,
        secure=services().is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


@blueprint.post("/account/password")
@anyone_signed_in
def change_password() -> ResponseReturnValue:
    """Change one's own password; every other session ends."""
    held, found = services(), signed_in()
    try:
        passwords.change(
            held.sessions, held.keyring, found, text("old"), text("new"), at=held.clock(), rules=held.rules
        )
    except auth.LogInError:
        return _page(found, Form(Faults(old="This is not your password now."))), 422
    except PersonError as error:
        return _page(found, Form(Faults(new=str(error)))), 422
    flash("The password is changed. Every other session of yours has ended.")
    return go(_PATH)


@blueprint.post("/people/<uuid:person_id>/sessions/<session_hash>/end")
@anyone_signed_in
def end_session(person_id: UUID, session_hash: str) -> ResponseReturnValue:
    """End a session of one's own, or somebody's as an administrator."""
    held, found = services(), signed_in()
    is_own = person_id == found.person.person_id
    if not is_own:
        found.require("sessions.manage")
    theirs = auth.open_sessions(held.sessions, person_id, at=held.clock(), rules=held.rules)
    ended = next((one for one in theirs if one.session_hash.hex() == session_hash), None)
    if ended is None:
        raise NotFound
    auth.end_session(held.sessions, held.keyring, ended.session_hash, actor=found.actor, at=held.clock())
    flash("Signed out there")
    return go(_PATH if is_own else f"/people/{person_id}")


@blueprint.get("/help/keys")
@anyone_signed_in
def keys() -> str:
    """Show the list of keys, for when scripts are off."""
    return render_template("keys.html")


def session_rows(found: Current, person_id: UUID, at: datetime) -> list[dict[str, Any]]:
    """Return a person's sessions as the pages show them."""
    held = services()
    theirs = auth.open_sessions(held.sessions, person_id, at=at, rules=held.rules)
    return [_session_row(one, found) for one in theirs]


def _session_row(one: PersonSession, found: Current) -> dict[str, Any]:
    return {
        "id": one.session_hash.hex(),
        "created_at": one.created_at,
        "seen_at": one.seen_at,
        "is_this": one.session_hash == found.session_hash,
    }


def _page(found: Current, form: Form, key_fault: str | None = None) -> str:
    person = found.person
    return render_template(
        "account.html",
        person={"id": person.person_id, "name": person.name, "login": person.login},
        sessions=session_rows(found, person.person_id, services().clock()),
        zones=[(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())],
        zone=person.time_zone,
        may_end=True,
        key_acts=_KEYS,
        key_typed=key_map.letters() if key_fault is None else key_map.typed(),
        key_fault=key_fault,
        form=form,
    )
