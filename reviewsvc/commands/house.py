"""What commands that act on the database hold: transactions, keys, the actor, the time."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from reviewsvc import config
from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring


class House(NamedTuple):
    """What use cases take, as a command has it."""

    sessions: Sessions
    keyring: Keyring
    actor: Actor
    at: datetime


acting = click.option("--as", "user", metavar="USER", help="Act in this name; else the system user's.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@contextmanager
def opened(user: str | None = None, *, role: str = "web") -> Iterator[House]:
    """Open the installation that the settings name, and act as `cli:<user>` until the block ends."""
    settings = config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE")
    keyring = Keyring(load_kek(Path(settings.kek_file)))
    sessions = Sessions(settings.database_url, role, size=1)
    at = datetime.now(UTC)
    try:
        open_installation(sessions, keyring, settings.origin, at, activity_logs=settings.activity_shards)
        yield House(sessions, keyring, Actor("cli", user or getpass.getuser()), at)
    finally:
        sessions.close()


def show(told: dict[str, Any]) -> None:
    """Print one JSON object."""
    import msgspec

    click.echo(msgspec.json.encode(told).decode())
