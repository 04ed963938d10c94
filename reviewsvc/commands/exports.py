"""`reviewsvc audit exports`: the bundles that were asked for on screen or by API."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

if TYPE_CHECKING:
    from reviewsvc.usecases.exports import Export

_MOST = 500


@click.group()
def exports() -> None:
    """List the bundles that were asked for on screen or by API, and cancel one."""


@exports.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def show_all(*, as_json: bool) -> None:
    """Show the newest 500, the newest first; who asked for one reads its question on screen."""
    from reviewsvc.commands.house import opened, show
    from reviewsvc.usecases import exports as use
    from reviewsvc.usecases.desk import Desk

    with opened() as house:
        found = use.page(Desk(house.sessions, house.keyring), None, _MOST, reader=house.actor)
    if as_json:
        show({"items": [_shown(one) for one in found]})
        return
    for one in found:
        done = f"{one.done:,} of {one.wanted:,}" if one.wanted else f"{one.done:,}"
        fault = f"  {one.fault}" if one.fault else ""
        click.echo(
            f"{one.id}  {one.asked_at:%Y-%m-%d %H:%M}  {one.state}  {one.kind}  {one.by}  {done}{fault}"
        )
    if not found:
        click.echo("No bundle was asked for: on screen it is Audit, Exports.", err=True)


@exports.command()
@click.argument("export_id", type=click.UUID)
@click.option("--as", "user", metavar="USER", help="Act in this name; else the system user's.")
def cancel(export_id: UUID, user: str | None) -> None:
    """Cancel one that is not made yet; what was brought in of it is removed, and that you did is logged."""
    from reviewsvc.commands.house import opened
    from reviewsvc.usecases import exports as use
    from reviewsvc.usecases.desk import Desk

    with opened(user) as house:
        use.cancel(Desk(house.sessions, house.keyring), export_id, actor=house.actor, at=house.at)
    click.echo(f"Cancelled {export_id}.")


def _shown(one: "Export") -> dict[str, Any]:
    names = ("kind", "by", "state", "done", "wanted", "disclosed", "withheld", "size", "fault", "downloads")
    told = {name: getattr(one, name) for name in names}
    times = {name: getattr(one, name) for name in ("asked_at", "ended_at", "downloaded_at")}
    return {"id": str(one.id), **told, **{name: at.isoformat() if at else None for name, at in times.items()}}
