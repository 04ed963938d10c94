"""What commands that erase share: carrying an erasure out in the worker's role, and printing it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from reviewsvc.commands.approvals import time_of
from reviewsvc.commands.house import show

if TYPE_CHECKING:
    from reviewsvc.commands.house import House
    from reviewsvc.usecases.erasures import Erasure


def carry_out(house: "House", erasure_id: UUID, *, as_json: bool) -> None:
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
    tell(house, erasures.get(house.sessions, house.keyring, erasure_id), as_json=as_json)


def tell(house: "House", found: "Erasure", *, as_json: bool) -> None:
    """Print an erasure."""
    if as_json:
        show(shown(house, found))
    else:
        write(house, found)


def write(house: "House", found: "Erasure") -> None:
    """Print an erasure in words, with whom to tell."""
    held = ", held" if found.is_held else ""
    about = f"event {found.event}" if found.event else f"subject {found.subject}"
    click.echo(f"{found.erasure_id}  {found.status}{held}  {about}  {found.reason or ''}")
    final = _final(house, found)
    if final is not None:
        click.echo(
            f"  gone since {time_of(found.done_at)}; final {time_of(final)}, when backups have expired"
        )
    for left in found.left:
        done = f"told {time_of(left.told_at)}" if left.told_at else "to be told"
        click.echo(f"  {left.item}. {left.kind} {left.name}: {left.amount}, {done}")


def shown(house: "House", found: "Erasure") -> dict[str, Any]:
    """Return an erasure as JSON shows it."""
    left = [each._asdict() for each in found.left]
    return found._asdict() | {"left": left, "final_at": _final(house, found)}


def _final(house: "House", found: "Erasure") -> datetime | None:
    from reviewsvc.usecases.erasures import final_at

    return final_at(found, house.settings.backup_days)
