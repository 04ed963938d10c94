"""`reviewsvc subjects waiting` and `refuse`: what waits for a second person."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.approvals import Approval


@click.command()
@click.argument("approval", type=click.UUID)
@acting
@as_json
def refuse(approval: UUID, user: str | None, *, as_json: bool) -> None:
    """Refuse what waits for a second person, or take back what one asked for."""
    from reviewsvc.usecases import approving

    with opened(user) as house:
        found = approving.refuse(house.sessions, house.keyring, approval, actor=house.actor, at=house.at)
    tell_approval(found, as_json=as_json)


@click.command()
@as_json
def waiting(*, as_json: bool) -> None:
    """Show what waits for a second person: erasures, exports, holds and their release."""
    from reviewsvc.usecases import approvals

    with opened() as house:
        found = approvals.waiting(house.sessions, house.keyring)
    if as_json:
        show({"items": [one._asdict() for one in found]})
        return
    for one in found:
        tell_approval(one, as_json=False)
    if not found:
        click.echo("Nothing waits for a second person.", err=True)


def subject_of(given: str) -> str:
    """Return the subject that was named; `-` reads it from stdin."""
    return sys.stdin.readline().rstrip("\r\n") if given == "-" else given


def time_of(at: datetime | None) -> str:
    """Write a moment for a reader."""
    return f"{at:%Y-%m-%d %H:%M}Z" if at else "never"


def tell_approval(found: "Approval", *, as_json: bool) -> None:
    """Print an approval, and what it waits for."""
    if as_json:
        show(found._asdict())
        return
    click.echo(
        f"{found.approval_id}  {found.status}  {found.act} {found.about} {found.name}  {found.reason or ''}"
    )
    if found.status == "waiting":
        click.echo("  Another person agrees with `reviewsvc subjects approve`.", err=True)
