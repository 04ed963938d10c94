"""`reviewsvc backup`: the database and its keys, each in a folder of its own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.defaulting import Defaulting
from reviewsvc.commands.house import as_json, show

if TYPE_CHECKING:
    from reviewsvc.usecases.backups import Manifest, Programs

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(cls=Defaulting, default="make")
def backup() -> None:
    """Make a backup, and verify one. `backup TO` is short for `backup make TO`."""


@backup.command()
@click.argument("target", metavar="TO", type=FOLDER)
@click.option("--keys", type=FOLDER, help="The folder for the keys; else TO with .keys behind it.")
@as_json
def make(target: Path, *, keys: Path | None, as_json: bool) -> None:
    """Write the database of DATABASE_OWNER_URL into the new folder TO, and its keys into another.

    Keep the two apart and let the keys expire first: an erasure is final when the last copy of the key is
    gone. The KEK, the signing keys, the signer's state and the erasure journal are in neither.
    """
    from datetime import UTC, datetime

    from reviewsvc import config
    from reviewsvc.usecases import backups

    owner_url = config.load("DATABASE_OWNER_URL").database_owner_url
    beside = keys or target.with_name(f"{target.name}.keys")
    made = backups.make(owner_url, programs_for(owner_url), target, beside, datetime.now(UTC))
    if as_json:
        show(shown(made) | {"folder": str(target), "keys": str(beside)})
    else:
        click.echo(f"{told(made)}\nIn {target}, its keys in {beside}.", err=True)


@backup.command()
@click.argument("folder", metavar="FROM", type=FOLDER)
@as_json
def verify(folder: Path, *, as_json: bool) -> None:
    """Hold every file of the backup in FROM, or of its keys, against its manifest.

    That it can be put back, and what it holds is whole, `reviewsvc restore rehearse FROM` tells.
    """
    from reviewsvc.usecases import backups

    found = backups.check(folder, programs_for(folder=folder))
    if as_json:
        show(shown(found))
    else:
        click.echo(f"{told(found)}\nEvery file is the one that was written.", err=True)


def programs_for(owner_url: str = "", *, folder: Path | None = None) -> "Programs":
    """Find PostgreSQL's programs that are as new as a server, and as what wrote a backup."""
    from reviewsvc.local.pgbinaries import OLDEST_MAJOR, find_clients
    from reviewsvc.usecases import backups

    server = backups.server_major(owner_url) if owner_url else OLDEST_MAJOR
    written = backups.manifest(folder).server if folder else OLDEST_MAJOR
    return backups.Programs(find_clients(max(server, written)))


def shown(manifest: "Manifest") -> dict[str, Any]:
    """What a manifest says, for programs."""
    import msgspec

    from reviewsvc.domain.moments import moment

    found: dict[str, Any] = msgspec.to_builtins(manifest)
    return found | {"made_at": moment(manifest.made_at)}


def told(manifest: "Manifest") -> str:
    """What a manifest says, for people."""
    from reviewsvc.domain.moments import moment

    size = sum(file.size for file in manifest.files) / 1e6
    entries = sum(log.size for log in manifest.logs)
    what = f"{entries:,} entries in {len(manifest.logs)} logs" if manifest.logs else "keys"
    made_at = f"{moment(manifest.made_at):%Y-%m-%d %H:%M:%S} UTC"
    return f"Backup {manifest.backup} of {manifest.origin}, {made_at}: {what}, {size:,.1f} MB."
