"""`reviewsvc subjects hold`, `release` and `holds`: legal holds."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from reviewsvc.commands.approvals import subject_of, tell_approval, time_of
from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.holds import Hold

_REASON = click.option("--reason", required=True, help="Why; it is kept, so name a letter, not a person.")


@click.command()
@click.option("--subject", help="Hold what is kept of a subject; - reads it from stdin.")
@click.option("--model", help="Hold what is kept of a model; with --case, of one case of it.")
@click.option("--case", metavar="PREDICTION_ID", help="Hold one case of --model.")
@click.option("--source", help="With --case: whose prediction, if several sources sent this id.")
@_REASON
@acting
@as_json
def hold(reason: str, user: str | None, *, as_json: bool, **on: str | None) -> None:
    """Place a legal hold: what is held is neither erased nor dropped until `subjects release`."""
    from reviewsvc.usecases import holds

    if bool(on["subject"]) == bool(on["model"]) or (on["case"] and not on["model"]):
        raise click.UsageError("Name --subject, or --model with or without --case.")
    subject = subject_of(on["subject"]) if on["subject"] else None
    wanted = holds.HoldOn(subject, on["model"], on["case"], on["source"])
    with opened(user) as house:
        said = (house.sessions, house.keyring, wanted, reason)
        if "hold" in house.settings.second_person:
            tell_approval(holds.ask(*said, actor=house.actor, at=house.at), as_json=as_json)
        else:
            _tell_hold(holds.place(*said, actor=house.actor, at=house.at), as_json=as_json)


@click.command()
@click.argument("hold_id", metavar="HOLD", type=click.UUID)
@_REASON
@acting
@as_json
def release(hold_id: UUID, reason: str, user: str | None, *, as_json: bool) -> None:
    """End a legal hold."""
    from reviewsvc.usecases import holds

    with opened(user) as house:
        said = (house.sessions, house.keyring, hold_id, reason)
        if "release" in house.settings.second_person:
            tell_approval(holds.ask_release(*said, actor=house.actor, at=house.at), as_json=as_json)
        else:
            _tell_hold(holds.release(*said, actor=house.actor, at=house.at), as_json=as_json)


@click.command("holds")
@as_json
def show_holds(*, as_json: bool) -> None:
    """Show legal holds: those that stand, then those that ended."""
    from reviewsvc.usecases import holds

    with opened() as house:
        found = holds.every(house.sessions, house.keyring)
    if as_json:
        show({"items": [one._asdict() for one in found]})
        return
    for one in found:
        _tell_hold(one, as_json=False)
    if not found:
        click.echo("There are no legal holds.", err=True)


def _tell_hold(found: "Hold", *, as_json: bool) -> None:
    if as_json:
        show(found._asdict())
        return
    ended = f", released {time_of(found.released_at)}" if found.released_at else ""
    click.echo(f"{found.hold_id}  {found.on} {found.name}, since {time_of(found.placed_at)}{ended}")
