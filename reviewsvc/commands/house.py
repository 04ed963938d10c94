"""What commands that act on the database hold: transactions, keys, the actor, the time."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from reviewsvc import config
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.signing import SigningError, SignsCheckpoints
from reviewsvc.outside.signer_socket import SocketSigner
from reviewsvc.usecases import guarding
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring


class House(NamedTuple):
    """What use cases take, as a command has it."""

    sessions: Sessions
    keyring: Keyring
    actor: Actor
    at: datetime
    settings: config.Settings


acting = click.option("--as", "user", metavar="USER", help="Act in this name; else the system user's.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@contextmanager
def opened(user: str | None = None, *, role: str = "web") -> Iterator[House]:
    """Open the installation that the settings name, and act as `cli:<user>` until the block ends."""
    settings = config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE")
    keyring = Keyring(open_keks(file=settings.kek_file, text=settings.keks, kms=settings.kms))
    sessions = Sessions(settings.database_url, role, size=1)
    at = datetime.now(UTC)
    try:
        look(settings, sessions, at)
        open_installation(sessions, keyring, settings.origin, at, activity_logs=settings.activity_shards)
        yield House(sessions, keyring, actor_of(user), at, settings)
    finally:
        sessions.close()


def actor_of(user: str | None) -> Actor:
    """Return who acts: the user that `--as` names, else the system's."""
    return Actor("cli", user or getpass.getuser())


def look(settings: config.Settings, sessions: Sessions, at: datetime) -> None:
    """Hold the database against what was signed, where this command may ask: else somebody else did."""
    signer = named_signer(settings)
    if signer is not None and sessions.role == "worker":
        with suppress(SigningError):
            guarding.confirm(sessions, signer, at)


def named_signer(settings: config.Settings) -> SignsCheckpoints | None:
    """Return the signer that the settings name, behind its socket or in its files; None if they name none."""
    keys = Path(settings.signing_key_file)
    if settings.signer_socket:
        return SocketSigner(Path(settings.signer_socket))
    if settings.signing_key_file and keys.exists():
        return LogSigner(keys, Path(settings.signer_state_file or f"{keys}.state"))
    return None


def show(told: dict[str, Any]) -> None:
    """Print one JSON object."""
    import msgspec

    click.echo(msgspec.json.encode(told).decode())
