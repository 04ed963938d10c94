"""`reviewsvc retention`: what is kept until when, and dropping what is past."""

from typing import TYPE_CHECKING

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.retention import Month


@click.group()
def retention() -> None:
    """Show until when payloads and predictions are kept, and drop what is past."""


@retention.command("show")
@as_json
def show_all(*, as_json: bool) -> None:
    """Show every stored month, its size, and when its time is over."""
    from reviewsvc.usecases import retention as months

    with opened() as house:
        found = months.show(house.sessions)
    if as_json:
        show({"items": [one._asdict() for one in found]})
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("Nothing is stored yet.", err=True)


@retention.command()
@acting
@as_json
def run(user: str | None, *, as_json: bool) -> None:
    """Drop now what is past its time; else the worker does it within the hour."""
    from reviewsvc.usecases import retention as months
    from reviewsvc.usecases.desk import Desk

    with opened(user, role="worker") as house:
        done = months.run(Desk(house.sessions, house.keyring), actor=house.actor, at=house.at)
    if as_json:
        show({"items": [one._asdict() for one in done]})
        return
    for one in done:
        when = f" {one.since:%Y-%m} of {one.retention_class}" if one.since else ""
        held = f", {one.held} of them kept for a hold" if one.held else ""
        freed = f", {one.bytes:,} bytes freed" if one.bytes else ""
        what = "keys destroyed" if one.table == "data_key" else "rows dropped"
        click.echo(f"{one.table}{when}: {one.rows:,} {what}{held}{freed}.")
    if not done:
        click.echo("Nothing is past its time, or a hold keeps it.")


def _line(one: "Month") -> str:
    until = f"until {one.drop_at:%Y-%m-%d}" if one.drop_at else "for good"
    held = ", held" if one.is_held else ""
    return f"{one.retention_class}  {one.table}  {one.since:%Y-%m}  {one.bytes:,} bytes  {until}{held}"
