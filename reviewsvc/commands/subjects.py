"""`reviewsvc subjects`: erasing, exporting and holding what is kept of a subject."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from reviewsvc.commands.approvals import refuse, subject_of, tell_approval, waiting
from reviewsvc.commands.erasing import carry_out, shown, tell, write
from reviewsvc.commands.holds import hold, release, show_holds
from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.usecases.subject_export import Exported

_SUBJECT = click.argument("subject")
_REASON = click.option("--reason", required=True, help="Why; it is kept, so name a letter, not a person.")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def subjects() -> None:
    """Erase, export and hold subjects. SUBJECT is what producers call one; - reads it from stdin."""


@subjects.command()
@_SUBJECT
@_REASON
@acting
@as_json
def erase(subject: str, reason: str, user: str | None, *, as_json: bool) -> None:
    """Destroy the key of SUBJECT, so that nothing about it can be read any more; proofs stay.

    Where a second person is needed it waits until one says `subjects approve`. It writes the erasure
    journal, so run it where the worker runs.
    """
    from reviewsvc.usecases import erasures

    with opened(user) as house:
        asked = erasures.request(
            house.sessions,
            house.keyring,
            subject_of(subject),
            reason,
            actor=house.actor,
            at=house.at,
            second_person="erase" in house.settings.second_person,
        )
        carry_out(house, asked.erasure_id, as_json=as_json)


@subjects.command()
@click.argument("approval", type=click.UUID)
@acting
@as_json
def approve(approval: UUID, user: str | None, *, as_json: bool) -> None:
    """Agree to what somebody else asked for, and carry it out.

    APPROVAL is the id that `subjects waiting` shows. An export is for who asked: `subjects take`.
    """
    from reviewsvc.usecases import approving

    with opened(user) as house:
        found = approving.approve(house.sessions, house.keyring, approval, actor=house.actor, at=house.at)
        if found.act == "erase":
            carry_out(house, approval, as_json=as_json)
        else:
            tell_approval(found, as_json=as_json)


@subjects.command("list")
@as_json
def show_all(*, as_json: bool) -> None:
    """Show the newest 500 erasures, and of whom it is to be told what had left."""
    from reviewsvc.usecases import erasures

    with opened() as house:
        found = erasures.page(house.sessions, house.keyring, limit=500)
        if as_json:
            show({"items": [shown(house, one) for one in found]})
            return
        for one in found:
            write(house, one)
    if not found:
        click.echo("Nobody has asked for an erasure.", err=True)


@subjects.command()
@click.argument("erasure", type=click.UUID)
@click.argument("item", type=int)
@acting
@as_json
def told(erasure: UUID, item: int, user: str | None, *, as_json: bool) -> None:
    """Note that the receiver of ITEM, by its number in the list, was told of an erasure."""
    from reviewsvc.usecases import erasures

    with opened(user) as house:
        found = erasures.tell(house.sessions, house.keyring, erasure, item, actor=house.actor, at=house.at)
        tell(house, found, as_json=as_json)


@subjects.command()
@_SUBJECT
@_REASON
@click.option(
    "-o", "--output", type=_FILE, help="A zip with subject.json and subject.txt; else JSON on stdout."
)
@acting
def export(subject: str, reason: str, output: Path | None, user: str | None) -> None:
    """Write all that is held of SUBJECT, as JSON and as a text to read.

    Where a second person is needed it waits until one says `subjects approve`; then `subjects take`.
    """
    from reviewsvc.usecases import subject_export
    from reviewsvc.usecases.desk import Desk

    with opened(user) as house:
        desk, name = Desk(house.sessions, house.keyring), subject_of(subject)
        if "export" in house.settings.second_person:
            asked = subject_export.ask(desk, name, reason, actor=house.actor, at=house.at)
            tell_approval(asked, as_json=output is None)
            return
        made = subject_export.export(desk, name, reason, actor=house.actor, at=house.at)
    _write_export(made, output)


@subjects.command()
@click.argument("approval", type=click.UUID)
@click.option(
    "-o", "--output", type=_FILE, help="A zip with subject.json and subject.txt; else JSON on stdout."
)
@acting
def take(approval: UUID, output: Path | None, user: str | None) -> None:
    """Write an export that one asked for and a second person has agreed to, within seven days."""
    from reviewsvc.usecases import subject_export
    from reviewsvc.usecases.desk import Desk

    with opened(user) as house:
        desk = Desk(house.sessions, house.keyring)
        made = subject_export.take(desk, approval, actor=house.actor, at=house.at)
    _write_export(made, output)


def _write_export(made: "Exported", output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(made.as_json())
        return
    output.touch(mode=0o600)
    output.write_bytes(made.as_zip())
    click.echo(f"{output}: {len(made.predictions)} predictions, {len(made.about)} entries.", err=True)


for _command in (refuse, waiting, hold, release, show_holds):
    subjects.add_command(_command)
