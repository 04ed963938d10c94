"""`reviewsvc subjects`: erasing, exporting and holding what is kept of a subject."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from reviewsvc.commands.holds import hold, release, show_holds
from reviewsvc.commands.house import acting, as_json, opened, show
from reviewsvc.commands.wishes import refuse, subject_of, tell_wish, time_of, waiting

if TYPE_CHECKING:
    from reviewsvc.commands.house import House
    from reviewsvc.usecases.erasures import Erasure
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
        _carry_out(house, asked.erasure_id, as_json=as_json)


@subjects.command()
@click.argument("wish", type=click.UUID)
@acting
@as_json
def approve(wish: UUID, user: str | None, *, as_json: bool) -> None:
    """Agree to what somebody else asked for, and carry it out.

    WISH is the id that `subjects waiting` shows. An export is for who asked: `subjects take`.
    """
    from reviewsvc.usecases import approvals

    with opened(user) as house:
        found = approvals.approve(house.sessions, house.keyring, wish, actor=house.actor, at=house.at)
        if found.act == "erase":
            _carry_out(house, wish, as_json=as_json)
        else:
            tell_wish(found, as_json=as_json)


@subjects.command("list")
@as_json
def show_all(*, as_json: bool) -> None:
    """Show the newest 500 erasures, and of whom it is to be told what had left."""
    from reviewsvc.usecases import erasures

    with opened() as house:
        found = erasures.page(house.sessions, house.keyring, limit=500)
        if as_json:
            show({"items": [_shown(house, one) for one in found]})
            return
        for one in found:
            _write(house, one)
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
        _tell(house, found, as_json=as_json)


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
            tell_wish(asked, as_json=output is None)
            return
        made = subject_export.export(desk, name, reason, actor=house.actor, at=house.at)
    _write_export(made, output)


@subjects.command()
@click.argument("wish", type=click.UUID)
@click.option(
    "-o", "--output", type=_FILE, help="A zip with subject.json and subject.txt; else JSON on stdout."
)
@acting
def take(wish: UUID, output: Path | None, user: str | None) -> None:
    """Write an export that one asked for and a second person has agreed to, within seven days."""
    from reviewsvc.usecases import subject_export
    from reviewsvc.usecases.desk import Desk

    with opened(user) as house:
        desk = Desk(house.sessions, house.keyring)
        made = subject_export.take(desk, wish, actor=house.actor, at=house.at)
    _write_export(made, output)


def _write_export(made: "Exported", output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(made.as_json())
        return
    output.touch(mode=0o600)
    output.write_bytes(made.as_zip())
    click.echo(f"{output}: {len(made.predictions)} predictions, {len(made.about)} entries.", err=True)


def _carry_out(house: "House", erasure_id: UUID, *, as_json: bool) -> None:
    """Erase what is agreed to, in the worker's role, which alone may destroy keys; else the worker does."""
    from reviewsvc.config import erasure_journal
    from reviewsvc.db.hot.connection import RoleError
    from reviewsvc.db.sessions import Sessions
    from reviewsvc.outside.erasure_journal import ErasureJournal
    from reviewsvc.usecases import erasure, erasures
    from reviewsvc.usecases.desk import Desk

    journal = ErasureJournal(erasure_journal(house.settings))
    sessions = Sessions(house.settings.database_url, "worker", size=1)
    try:
        erasure.run(Desk(sessions, house.keyring), journal, erasure_id, at=house.at)
    except RoleError:
        click.echo("The worker carries it out; `reviewsvc subjects list` says when it has.", err=True)
    finally:
        sessions.close()
    _tell(house, erasures.get(house.sessions, house.keyring, erasure_id), as_json=as_json)


def _tell(house: "House", found: "Erasure", *, as_json: bool) -> None:
    if as_json:
        show(_shown(house, found))
    else:
        _write(house, found)


def _write(house: "House", found: "Erasure") -> None:
    held = ", held" if found.is_held else ""
    click.echo(f"{found.erasure_id}  {found.status}{held}  subject {found.subject}  {found.reason or ''}")
    final = _final(house, found)
    if final is not None:
        click.echo(
            f"  gone since {time_of(found.done_at)}; final {time_of(final)}, when backups have expired"
        )
    for left in found.left:
        done = f"told {time_of(left.told_at)}" if left.told_at else "to be told"
        click.echo(f"  {left.item}. {left.kind} {left.receiver}: {left.amount}, {done}")


def _shown(house: "House", found: "Erasure") -> dict[str, Any]:
    left = [each._asdict() for each in found.left]
    return found._asdict() | {"left": left, "final_at": _final(house, found)}


def _final(house: "House", found: "Erasure") -> datetime | None:
    from reviewsvc.usecases.erasures import final_at

    return final_at(found, house.settings.backup_days)


for _command in (refuse, waiting, hold, release, show_holds):
    subjects.add_command(_command)
