"""People, for administrators: adding them, their roles, tokens and sessions, letting them in no more."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from reviewsvc.console.account import session_rows
from reviewsvc.console.forms import Faults, Form, go, text, whole
from reviewsvc.console.lists import asked, pager
from reviewsvc.domain.permissions import PERMISSIONS, Grant, GrantError
from reviewsvc.usecases import people, seen, task_lists, tokens
from reviewsvc.usecases.people import Known, LoginTakenError, PersonError
from reviewsvc.usecases.tokens import TokenError
from reviewsvc.web.actors import signed_in
from reviewsvc.web.permissions import permission
from reviewsvc.web.services import services

blueprint = Blueprint("people", __name__)

_PATH: Final = "/people"
_ROWS: Final = 100
_MOST_DAYS: Final = 366
_ROLES: Final = {
    "reviewer": "claim and decide cases",
    "lead": "adjudicate, and see figures",
    "auditor": "read, verify and export; change nothing",
    "data": "pull labels, and read what was decided",
    "owner": "change contracts, policies and queues",
    "operator": "see health and quarantine, no payloads",
    "admin": "manage people and their roles, see no payloads",
    "steward": "erase, export and hold subjects",
}
_SCOPES: Final = {
    "review": ("queues.see", "tasks.*", "payloads.open"),
    "labels": ("labels.pull",),
    "decisions": ("decisions.see",),
}


@blueprint.get(_PATH)
@permission("people.see")
def show() -> str:
    """List people in the order of their logins."""
    return _list(Form())


@blueprint.post(_PATH)
@permission("people.manage")
def add() -> ResponseReturnValue:
    """Add a person."""
    held, found = services(), signed_in()
    login, name = text("login"), text("name")
    try:
        person_id = people.add(
            held.sessions, held.keyring, login, name, text("password"), actor=found.actor, at=held.clock()
        )
    except LoginTakenError:
        fault = Faults(login="Someone has this login name already. Choose another.")
        return _list(Form(fault, login=login, name=name)), 422
    except PersonError as error:
        return _list(Form(Faults(**{error.field: str(error)}), login=login, name=name)), 422
    flash(f"{name.strip()} can sign in. Grant a role, so that there is something to see.")
    return go(f"{_PATH}/{person_id}")


@blueprint.get(f"{_PATH}/<uuid:person_id>")
@permission("people.see")
def show_one(person_id: UUID) -> str:
    """Show a person with their roles, tokens and sessions."""
    return _page(person_id, Form())


@blueprint.post(f"{_PATH}/<uuid:person_id>/grants")
@permission("people.manage")
def grant(person_id: UUID) -> ResponseReturnValue:
    """Give a person a role."""
    held, found = services(), signed_in()
    given = Grant(text("role"), text("scope"))
    try:
        done = people.grant(held.sessions, held.keyring, person_id, given, actor=found.actor, at=held.clock())
        flash("Granted" if done else "Held already")
    except GrantError as error:
        flash(str(error), "error")
    return go(f"{_PATH}/{person_id}")


@blueprint.post(f"{_PATH}/<uuid:person_id>/grants/end")
@permission("people.manage")
def revoke(person_id: UUID) -> ResponseReturnValue:
    """Take a role from a person."""
    held, found = services(), signed_in()
    taken = Grant(text("role"), text("scope"))
    if person_id == found.person.person_id and taken.role == "admin":
        flash("Ask another administrator: nobody takes this role from themselves.", "error")
    else:
        people.revoke(held.sessions, held.keyring, person_id, taken, actor=found.actor, at=held.clock())
        flash("The role has ended")
    return go(f"{_PATH}/{person_id}")


@blueprint.post(f"{_PATH}/<uuid:person_id>/<any(disable, enable):act>")
@permission("people.manage")
def admit(person_id: UUID, act: str) -> ResponseReturnValue:
    """Let a person in no more, or again."""
    held, found = services(), signed_in()
    if person_id == found.person.person_id:
        flash("Ask another administrator: nobody disables themselves.", "error")
    else:
        change = people.disable if act == "disable" else people.enable
        change(held.sessions, held.keyring, person_id, actor=found.actor, at=held.clock())
        flash("Disabled; every session has ended" if act == "disable" else "Let back in")
    return go(f"{_PATH}/{person_id}")


@blueprint.post(f"{_PATH}/<uuid:person_id>/password")
@permission("people.manage")
def set_password(person_id: UUID) -> ResponseReturnValue:
    """Give a person another password, which they are told in person."""
    held, found = services(), signed_in()
    try:
        people.set_password(
            held.sessions, held.keyring, person_id, text("password"), actor=found.actor, at=held.clock()
        )
    except PersonError as error:
        return _page(person_id, Form(Faults(password=str(error)))), 422
    flash("The password is set, and every session of this person has ended")
    return go(f"{_PATH}/{person_id}")


@blueprint.post(f"{_PATH}/<uuid:person_id>/tokens")
@permission("tokens.manage")
def make_token(person_id: UUID) -> ResponseReturnValue:
    """Make a token and show it, this once."""
    held, found, at = services(), signed_in(), services().clock()
    chosen = request.form.getlist("scopes")
    if not set(chosen) <= set(_SCOPES):
        raise BadRequest
    try:
        made = tokens.create(
            held.sessions,
            held.keyring,
            person_id,
            text("token_name"),
            scopes=[scope for name in chosen for scope in _SCOPES[name]],
            expires_at=at + timedelta(days=whole("days", lowest=1, highest=_MOST_DAYS)),
            actor=found.actor,
            at=at,
        )
    except TokenError as error:
        fault = Faults(scopes=str(error)) if not chosen else Faults(token_name=str(error))
        return _page(person_id, Form(fault)), 422
    return _page(person_id, Form(), fresh=made.text)


@blueprint.post(f"{_PATH}/<uuid:person_id>/tokens/<uuid:token_id>/end")
@permission("tokens.manage")
def end_token(person_id: UUID, token_id: UUID) -> ResponseReturnValue:
    """End a token."""
    held, found = services(), signed_in()
    tokens.end(held.sessions, held.keyring, token_id, actor=found.actor, at=held.clock())
    flash("The token has ended")
    return go(f"{_PATH}/{person_id}")


def _list(form: Form) -> str:
    sessions = services().sessions
    found = people.page(sessions, asked("after"), _ROWS)
    last = seen.last_seen(sessions, [known.person.person_id for known in found])
    following = found[-1].person.login if len(found) == _ROWS else None
    rows = [_row(known) | {"last_seen_at": last.get(known.person.person_id)} for known in found]
    may_manage = signed_in().may("people.manage")
    return render_template(
        "people.html", people=rows, form=form, pager=pager(_PATH, following), may_manage=may_manage
    )


def _page(person_id: UUID, form: Form, *, fresh: str | None = None) -> str:
    held, found = services(), signed_in()
    known = people.get(held.sessions, person_id)
    queues, models = task_lists.names(held.desk)
    return render_template(
        "person.html",
        person=_row(known) | {"is_self": person_id == found.person.person_id},
        grants=[each._asdict() | {"words": _ROLES[each.role]} for each in known.grants],
        roles=[(role, f"{role}: {_ROLES[role]}") for role in PERMISSIONS],
        scopes=[
            ("*", "everything"),
            *((f"queue:{name}", f"queue {name}") for name in queues),
            *((f"model:{name}", f"model {name}") for name in models),
        ],
        tokens=[
            each._asdict() | {"id": each.token_id} for each in tokens.of_person(held.sessions, person_id)
        ],
        sessions=session_rows(found, person_id, held.clock()),
        fresh=fresh,
        form=form,
        may_manage=found.may("people.manage"),
        may_end=found.may("sessions.manage"),
        may_make=found.may("tokens.manage"),
    )


def _row(known: Known) -> dict[str, Any]:
    person = known.person
    return {
        "id": person.person_id,
        "name": person.name,
        "login": person.login,
        "roles": [_worded(each) for each in known.grants],
        "created_at": person.created_at,
        "is_disabled": person.disabled_at is not None,
    }


def _worded(held: Grant) -> str:
    return held.role if held.scope == "*" else f"{held.role}, {held.scope.replace(':', ' ')}"
