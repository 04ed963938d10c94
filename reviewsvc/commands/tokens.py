"""`reviewsvc tokens`: what programs log in with."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.db.people import Token


@click.group()
def tokens() -> None:
    """Create tokens for programs."""


@tokens.command()
@click.argument("login")
@click.option("--name", required=True, help="What uses it.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="A permission, such as labels.pull, or tasks.*"
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it is good."
)
@acting
@as_json
def create(
    login: str, name: str, scopes: tuple[str, ...], days: int, user: str | None, *, as_json: bool
) -> None:
    """Create a token by which programs act for a person; it is shown once."""
    from reviewsvc.usecases import people
    from reviewsvc.usecases import tokens as use

    with opened(user) as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        made = use.create(
            house.sessions,
            house.keyring,
            person_id,
            name,
            scopes=scopes,
            expires_at=house.at + timedelta(days=days),
            actor=house.actor,
            at=house.at,
        )
    if as_json:
        show(_shown(made.token) | {"token": made.text})
        return
    click.echo(f"The token {made.token.token_id} of {login}, shown once:", err=True)
    click.echo(made.text)


@tokens.command("list")
@click.argument("login")
@as_json
def show_all(login: str, *, as_json: bool) -> None:
    """Show a person's tokens, never the tokens' text."""
    from reviewsvc.usecases import people
    from reviewsvc.usecases import tokens as use

    with opened() as house:
        person_id = people.get_by_login(house.sessions, login).person.person_id
        found = use.of_person(house.sessions, person_id)
    if as_json:
        show({"items": [_shown(token) for token in found]})
        return
    for token in found:
        until = "ended" if token.ended_at else f"until {token.expires_at:%Y-%m-%d}"
        click.echo(f"{token.token_id}  {token.name}  {', '.join(token.scopes)}  {until}")


@tokens.command()
@click.argument("token_id", type=click.UUID)
@acting
def end(token_id: UUID, user: str | None) -> None:
    """End a token before its date."""
    from reviewsvc.usecases import tokens as use

    with opened(user) as house:
        ended = use.end(house.sessions, house.keyring, token_id, actor=house.actor, at=house.at)
    click.echo("The token has ended." if ended else "There is no such token, or it had ended.")


def _shown(token: "Token") -> dict[str, Any]:
    return {
        "token_id": str(token.token_id),
        "name": token.name,
        "scopes": list(token.scopes),
        "expires_at": token.expires_at,
        "ended_at": token.ended_at,
    }
