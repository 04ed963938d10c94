"""`reviewsvc subjects`: erasing, exporting and holding what is kept of a subject."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.commands.house import House
    from reviewsvc.usecases.erasures import Erasure
    from reviewsvc.usecases.holds import Hold

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
            _subject(subject),
            reason,
            actor=house.actor,
            at=house.at,
            second_person=house.settings.erase_second_person,
        )
        _carry_out(house, asked.erasure_id, as_json=as_json)


@subjects.command()
@click.argument("erasure", type=click.UUID)
@acting
@as_json
def approve(erasure: UUID, user: str | None, *, as_json: bool) -> None:
    """Agree to an erasure that somebody else asked for, and carry it out."""
    from reviewsvc.usecases import erasures

    with opened(user) as house:
        erasures.approve(house.sessions, house.keyring, erasure, actor=house.actor, at=house.at)
        _carry_out(house, erasure, as_json=as_json)


@subjects.command()
@click.argument("erasure", type=click.UUID)
@acting
@as_json
def refuse(erasure: UUID, user: str | None, *, as_json: bool) -> None:
    """Refuse an erasure that waits, or take back one's own."""
    from reviewsvc.usecases import erasures

    with opened(user) as house:
        told = erasures.refuse(house.sessions, house.keyring, erasure, actor=house.actor, at=house.at)
        _tell(house, told, as_json=as_json)


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
    """Write all that is held of SUBJECT, as JSON and as a text to read."""
    from reviewsvc.usecases import subject_export
    from reviewsvc.usecases.desk import Desk

    with opened(user) as house:
        desk = Desk(house.sessions, house.keyring)
        made = subject_export.export(desk, _subject(subject), reason, actor=house.actor, at=house.at)
    if output is None:
        sys.stdout.buffer.write(made.as_json())
        return
    output.write_bytes(made.as_zip())
    click.echo(f"{output}: {len(made.predictions)} predictions, {len(made.about)} entries.", err=True)


@subjects.command()
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
    subject = _subject(on["subject"]) if on["subject"] else None
    wanted = holds.HoldOn(subject, on["model"], on["case"], on["source"])
    with opened(user) as house:
        placed = holds.place(house.sessions, house.keyring, wanted, reason, actor=house.actor, at=house.at)
    _tell_hold(placed, as_json=as_json)


@subjects.command()
@click.argument("hold_id", metavar="HOLD", type=click.UUID)
@_REASON
@acting
@as_json
def release(hold_id: UUID, reason: str, user: str | None, *, as_json: bool) -> None:
    """End a legal hold."""
    from reviewsvc.usecases import holds

    with opened(user) as house:
        ended = holds.release(house.sessions, house.keyring, hold_id, reason, actor=house.actor, at=house.at)
    _tell_hold(ended, as_json=as_json)


@subjects.command("holds")
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


def _subject(given: str) -> str:
    return sys.stdin.readline().rstrip("\r\n") if given == "-" else given


def _carry_out(house: "House", erasure_id: UUID, *, as_json: bool) -> None:
    """Erase what is agreed to, in the worker's role: only it may destroy keys."""
    from reviewsvc.config import erasure_journal
    from reviewsvc.db.sessions import Sessions
    from reviewsvc.outside.erasure_journal import ErasureJournal
    from reviewsvc.usecases import erasure, erasures
    from reviewsvc.usecases.desk import Desk

    journal = ErasureJournal(erasure_journal(house.settings))
    sessions = Sessions(house.settings.database_url, "worker", size=1)
    try:
        erasure.run(Desk(sessions, house.keyring), journal, erasure_id, at=house.at)
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
        click.echo(f"  gone since {_time(found.done_at)}; final {_time(final)}, when backups have expired")
    for left in found.left:
        done = f"told {_time(left.told_at)}" if left.told_at else "to be told"
        click.echo(f"  {left.item}. {left.kind} {left.receiver}: {left.amount}, {done}")


def _shown(house: "House", found: "Erasure") -> dict[str, Any]:
    left = [each._asdict() for each in found.left]
    return found._asdict() | {"left": left, "final_at": _final(house, found)}


def _final(house: "House", found: "Erasure") -> datetime | None:
    from reviewsvc.usecases.erasures import final_at

    return final_at(found, house.settings.backup_days)


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z" if at else "never"


def _tell_hold(found: "Hold", *, as_json: bool) -> None:
    if as_json:
        show(found._asdict())
        return
    ended = f", released {_time(found.released_at)}" if found.released_at else ""
    click.echo(f"{found.hold_id}  {found.on} {found.name}, since {_time(found.placed_at)}{ended}")
