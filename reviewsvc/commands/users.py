"""`reviewsvc users`: people and the roles that they hold."""

import sys
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.house import House, acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.domain.permissions import Grant
    from reviewsvc.usecases.people import Known

from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin; else one is made and shown once."
)
place = click.option(
    "--on", "scope", default="*", metavar="SCOPE", help="model:NAME or queue:NAME; else everywhere."
)


@click.group()
def users() -> None:
    """Add people and grant them roles."""


@users.command()
@click.argument("login")
@click.option("--name", help="How others see the person; else the login.")
@click.option("--grant", "grants", multiple=True, metavar="ROLE[@SCOPE]", help="A role to hold at once.")
@from_stdin
@acting
@as_json
def add(login: str, name: str | None, grants: tuple[str, ...], user: str | None, **flags: bool) -> None:
    """Add a person who logs in with a password."""
    from reviewsvc.domain.permissions import check_grant
    from reviewsvc.usecases import people

    held = [check_grant(_grant(text)) for text in grants]
    password = _password(from_stdin=flags["password_stdin"])
    with opened(user) as house:
        person_id = people.add(
            house.sessions, house.keyring, login, name or login, password, actor=house.actor, at=house.at
        )
        for each in held:
            people.grant(house.sessions, house.keyring, person_id, each, actor=house.actor, at=house.at)
            _warn_of_nothing(house, each.scope)
    _tell_password(login, str(person_id), password, **flags)


@users.command()
@click.argument("login")
@from_stdin
@acting
@as_json
def password(login: str, user: str | None, **flags: bool) -> None:
    """Give a person another password; their sessions end."""
    from reviewsvc.usecases import people

    new = _password(from_stdin=flags["password_stdin"])
    with opened(user) as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        people.set_password(house.sessions, house.keyring, person_id, new, actor=house.actor, at=house.at)
    _tell_password(login, str(person_id), new, **flags)


@users.command()
@click.argument("login")
@click.argument("role")
@place
@acting
def grant(login: str, role: str, scope: str, user: str | None) -> None:
    """Give a person a role: reviewer, lead, auditor, data, owner, operator, admin or steward."""
    from reviewsvc.domain.permissions import Grant
    from reviewsvc.usecases import people

    with opened(user) as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        given = people.grant(
            house.sessions, house.keyring, person_id, Grant(role, scope), actor=house.actor, at=house.at
        )
        _warn_of_nothing(house, scope)
    click.echo(f"{login} {'is now' if given else 'was already'} {role} on {scope}.")


def _warn_of_nothing(house: House, scope: str) -> None:
    """A role may be given before there is what it is on; a name that was mistyped looks the same."""
    from reviewsvc.db import versions

    kind, _, name = scope.partition(":")
    with house.sessions.begin() as session:
        if kind == "queue":
            is_there = name in {row.name for row in versions.queues(session)}
        else:
            is_there = kind != "model" or versions.model(session, name) is not None
    if not is_there:
        click.echo(f"There is no {kind} {name} yet: nothing comes of it before there is.", err=True)


@users.command()
@click.argument("login")
@click.argument("role")
@place
@acting
def revoke(login: str, role: str, scope: str, user: str | None) -> None:
    """Take a role from a person."""
    from reviewsvc.domain.permissions import Grant
    from reviewsvc.usecases import people

    with opened(user) as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        taken = people.revoke(
            house.sessions, house.keyring, person_id, Grant(role, scope), actor=house.actor, at=house.at
        )
    click.echo(f"{login} {'is no longer' if taken else 'was not'} {role} on {scope}.")


@users.command()
@click.argument("login")
@acting
def disable(login: str, user: str | None) -> None:
    """Let a person in no more, and end their sessions."""
    from reviewsvc.usecases import people

    with opened(user) as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        people.disable(house.sessions, house.keyring, person_id, actor=house.actor, at=house.at)
    click.echo(f"{login} is disabled.")


@users.command("list")
@as_json
def show_all(*, as_json: bool) -> None:
    """Show people and the roles that they hold."""
    from reviewsvc.usecases import people

    with opened() as house:
        found = people.page(house.sessions)
        while len(more := people.page(house.sessions, found[-1].person.login)) if found else False:
            found += more
    if as_json:
        show({"items": [_shown(known) for known in found]})
        return
    for known in found:
        held = ", ".join(f"{each.role}@{each.scope}" for each in known.grants) or "no role"
        click.echo(f"{known.person.login}  {held}{'  (disabled)' if known.person.disabled_at else ''}")


def _shown(known: "Known") -> dict[str, Any]:
    person = known.person
    return {
        "person_id": str(person.person_id),
        "login": person.login,
        "name": person.name,
        "disabled": person.disabled_at is not None,
        "grants": [each._asdict() for each in known.grants],
    }


def _grant(text: str) -> "Grant":
    from reviewsvc.domain.permissions import EVERYWHERE, Grant

    role, _, scope = text.partition("@")
    return Grant(role, scope or EVERYWHERE)


def _password(*, from_stdin: bool) -> str:
    from reviewsvc.usecases.people import generate_password

    return sys.stdin.readline().rstrip("\r\n") if from_stdin else generate_password()


def _tell_password(login: str, person_id: str, password: str, *, password_stdin: bool, as_json: bool) -> None:
    made = {} if password_stdin else {"password": password}
    if as_json:
        show({"login": login, "person_id": person_id} | made)
        return
    click.echo(f"{login} can log in." if password_stdin else f"{login} logs in with (shown once): {password}")
