"""`reviewsvc restore`: what follows when a database was restored."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reviewsvc.commands.backup import FOLDER, programs_for, shown, told
from reviewsvc.commands.defaulting import Defaulting
from reviewsvc.commands.house import acting, actor_of, as_json, named_signer, show

if TYPE_CHECKING:
    from reviewsvc.config import Settings
    from reviewsvc.db.sessions import Sessions
    from reviewsvc.domain.signing import Tip
    from reviewsvc.usecases.adopting import Adopted, Plan
    from reviewsvc.usecases.holdings import Holding
    from reviewsvc.usecases.keyring import Keyring

_NEEDLESS: Final = "This database is the one that was written to last: there is nothing to adopt."
_ASKED: Final = "Asked for. Another person now agrees: `reviewsvc restore adopt --as USER` in their name."


@click.group(cls=Defaulting, default="load")
def restore() -> None:
    """Restore a backup, rehearse that, and adopt a database that was restored.

    `restore FROM` is short for `restore load FROM`.
    """


@restore.command()
@acting
@click.option("--reason", default="", help="Why the database was restored, in words; kept encrypted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--checkpoint",
    "notes",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A signed checkpoint that left the house; for a signer that forgot. May be repeated.",
)
@click.option(
    "--nothing-lost",
    is_flag=True,
    help="Where nothing is signed: go on as before, since the database is whole (a standby took over).",
)
@click.option("--restored", is_flag=True, help="It was restored, though nothing here tells.")
@click.option(
    "--journal-lost", is_flag=True, help="Go on though the erasure journal lacks what it should name."
)
@as_json
def adopt(
    user: str | None,
    *,
    reason: str,
    yes: bool,
    notes: tuple[Path, ...],
    nothing_lost: bool,
    restored: bool,
    journal_lost: bool,
    as_json: bool,
) -> None:
    """Let the service write again to a database that was restored, moved, or a standby before.

    It is held against what the signer signed. If nothing of that is missing, everything goes on as it was.
    Else every log ends where the restored database ends, and goes on as its next incarnation, whose first
    entry names what is lost. Erasures that the backup does not know are done again before anybody writes.
    """
    from datetime import UTC, datetime
    from functools import partial

    from reviewsvc import config
    from reviewsvc.crypto.kek_sources import open_keks
    from reviewsvc.db.sessions import Sessions
    from reviewsvc.outside.erasure_journal import ErasureJournal
    from reviewsvc.usecases import adopting, erasure
    from reviewsvc.usecases.desk import Desk
    from reviewsvc.usecases.keyring import Keyring

    settings, at = config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE"), datetime.now(UTC)
    keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
    journal = ErasureJournal(config.erasure_journal(settings))
    sessions = Sessions(settings.database_url, "worker", size=2)
    try:
        signer, shown = named_signer(settings), _shown_outside(settings, sessions, keyring, notes)
        signed = signer.everything() if signer else []
        asked = adopting.Adoption(actor_of(user), reason, signed, nothing_lost, restored, shown=shown)
        planned = adopting.plan(sessions, asked)
        if not planned.is_needed:
            click.echo(_NEEDLESS, err=True)
            return
        erased = erasure.lines_of(sessions, journal, may_lack=journal_lost)
        _check_agreed(planned, yes=yes)
        if "restore" in settings.second_person and not adopting.ask(sessions, asked, at):
            raise click.ClickException(_ASKED)
        again = partial(erasure.replay, Desk(sessions, keyring), erased, actor=asked.actor, at=at)
        done = adopting.adopt(sessions, keyring, asked, at, lambda: len(again()))
    finally:
        sessions.close()
    show(_shown(done)) if as_json else click.echo(_told(done), err=True)


@restore.command()
@click.argument("folder", metavar="FROM", type=FOLDER)
@click.option("--keys", type=FOLDER, help="The folder of its keys; else FROM with .keys behind it.")
@click.option("--without-keys", is_flag=True, help="Leave the keys out: no payload can be opened then.")
@as_json
def load(folder: Path, *, keys: Path | None, without_keys: bool, as_json: bool) -> None:
    """Put the backup in FROM into the empty database of DATABASE_OWNER_URL.

    `restore FROM` is short for it. Afterwards nobody may write until `reviewsvc restore adopt`.
    """
    from reviewsvc import config
    from reviewsvc.usecases import backups

    owner_url = config.load("DATABASE_OWNER_URL").database_owner_url
    programs = programs_for(owner_url, folder=folder)
    found = backups.load(owner_url, programs, folder, _keys(folder, keys, without=without_keys))
    if as_json:
        show(shown(found))
    else:
        click.echo(f"Restored: {told(found)}", err=True)
        click.echo("Now `reviewsvc db upgrade --login …`, then `reviewsvc restore adopt`.", err=True)


@restore.command()
@click.argument("folder", metavar="FROM", type=FOLDER)
@click.option("--keys", type=FOLDER, help="The folder of its keys; else FROM with .keys behind it.")
@click.option("--without-keys", is_flag=True, help="Leave the keys out.")
@as_json
def rehearse(folder: Path, *, keys: Path | None, without_keys: bool, as_json: bool) -> None:
    """Put the backup in FROM into a PostgreSQL of its own, verify all of it, report, and remove that again.

    Exit code: that of `reviewsvc audit verify`.
    """
    from reviewsvc import config
    from reviewsvc.commands.audit_outside import believed_keys
    from reviewsvc.domain.verdict import EXIT_CODES
    from reviewsvc.local import rehearsal
    from reviewsvc.usecases.outside_view import Outside

    outside = Outside(believed_keys(config.load()))
    found = rehearsal.rehearse(folder, _keys(folder, keys, without=without_keys), outside)
    if as_json:
        show(found.shown())
    else:
        click.echo(f"{told(found.manifest)}\n{found.told()}", err=True)
    sys.exit(EXIT_CODES[found.report.verdict])


def _keys(folder: Path, keys: Path | None, *, without: bool) -> Path | None:
    return None if without else keys or folder.with_name(f"{folder.name}.keys")


def _shown_outside(
    settings: "Settings", sessions: "Sessions", keyring: "Keyring", notes: Sequence[Path]
) -> "list[Tip]":
    """Checkpoints that left the house: those that are named, and the newest that the anchors show."""
    from reviewsvc.usecases import adopting, own_notes
    from reviewsvc.usecases.anchor_choice import chosen
    from reviewsvc.usecases.anchoring import Anchorer
    from reviewsvc.worker import anchor_choice

    named = [adopting.tip_of_note(sessions, path.read_bytes()) for path in notes]
    kept, silent = Anchorer(sessions, keyring, *chosen(anchor_choice(settings))).shown()
    with sessions.begin() as session:
        found, strange = own_notes.read_all(sessions.psycopg(session), kept)
    for name, why in silent.items():
        click.echo(f"The anchor {name} does not show what it has: {why}", err=True)
    for why in strange:
        click.echo(f"An anchor keeps a checkpoint that proves nothing: {why}", err=True)
    return [*named, *found]


def _check_agreed(planned: "Plan", *, yes: bool) -> None:
    """Show what is lost and what will be done, and ask whether that is meant."""
    for each in planned.lost:
        click.echo(_loss(each), err=True)
    what = (
        f"Every log goes on as its next incarnation; {planned.entries_lost:,} signed entries are lost."
        if planned.goes_on
        else "Nothing that was signed is missing: the logs go on as they are."
    )
    click.echo(what, err=True)
    if not yes:
        click.confirm("Adopt this database?", abort=True, err=True)


def _loss(held: "Holding") -> str:
    return f"  {held.name}: entries {held.lost_from} to {held.lost_to - 1} are lost; {held.size} are here"


def _shown(done: "Adopted") -> dict[str, Any]:
    lost = [{"log": each.name, "from": each.lost_from, "to": each.lost_to - 1} for each in done.lost]
    return {
        "system_id": done.present.system_id,
        "timeline": done.present.timeline,
        "logs": [{"log": old, "goes_on_as": new} for old, new in done.logs],
        "lost": lost,
        "erasures": done.erasures,
    }


def _told(done: "Adopted") -> str:
    went_on = f"{len(done.logs)} logs went on as new ones" if done.logs else "the logs go on as they are"
    return f"Adopted: {went_on}, {done.erasures} erasures were done again. Start the service."
