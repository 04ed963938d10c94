"""`reviewsvc keys`: the keys that sign checkpoints."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from reviewsvc.config import Settings
    from reviewsvc.usecases.key_history import SigningKey

_FILE = click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
_APART = click.option(
    "--only-file", is_flag=True, help="Do not tell the database: `keys announce` does it later."
)
_OVERLAP = click.option(
    "--overlap-days",
    type=click.IntRange(0, 3650),
    default=30,
    show_default=True,
    help="How long keys of the same kind that signed so far go on signing beside it.",
)


@click.group()
def keys() -> None:
    """Make and change the keys that sign checkpoints."""


@keys.command()
@_FILE
@click.option("--second", is_flag=True, help="Add an ML-DSA-44 key, which signs the root log beside it.")
@click.option("--new-state", is_flag=True, help="Begin with an empty memory, for a signer that never signed.")
@_APART
@acting
def make(file: Path | None, user: str | None, *, second: bool, new_state: bool, only_file: bool) -> None:
    """Make a key in FILE, for its owner alone, and let it sign from now on.

    FILE is REVIEWSVC_SIGNING_KEY_FILE if none is named. What exists stays as it is. From the first key on,
    nothing leaves the service that is not sealed.
    """
    from reviewsvc.crypto import signing_keys as files
    from reviewsvc.crypto.notes import MLDSA44
    from reviewsvc.crypto.signer_state import SignerState

    settings, path = _settled(file, only_file=only_file)
    if files.make(path, settings.origin) or new_state:
        SignerState(Path(settings.signer_state_file or f"{path}.state")).begin()
    found = files.load(path)
    if second and not any(each.kind == MLDSA44 for each in found):
        found.append(files.add(path, MLDSA44))
    newest = {each.kind: each.verifier().text() for each in found}
    _tell(list(newest.values()), user, 0, only_file=only_file)


@keys.command()
@_FILE
@click.option("--second", is_flag=True, help="Replace the ML-DSA-44 key.")
@_OVERLAP
@_APART
@acting
def rotate(file: Path | None, user: str | None, overlap_days: int, *, second: bool, only_file: bool) -> None:
    """Add a new key to FILE and let it sign from now on; the one before goes on beside it for a while."""
    from reviewsvc.crypto import signing_keys as files
    from reviewsvc.crypto.notes import ED25519, MLDSA44

    made = files.add(_settled(file, only_file=only_file)[1], MLDSA44 if second else ED25519)
    _tell([made.verifier().text()], user, overlap_days, only_file=only_file)


@keys.command()
@click.argument("vkey")
@_OVERLAP
@acting
def announce(vkey: str, user: str | None, overlap_days: int) -> None:
    """Let the key with the verifier key VKEY sign from now on, whose file is with a signer elsewhere."""
    _tell([vkey], user, overlap_days, only_file=False)


@keys.command()
@click.argument("vkey")
@click.option("--days", type=click.IntRange(0, 3650), default=0, help="In how many days; else at once.")
@acting
def end(vkey: str, user: str | None, days: int) -> None:
    """Let the key with the verifier key VKEY sign no more; what it signed stays good."""
    from reviewsvc.usecases import signing_keys

    with opened(user, role="worker") as house:
        until = house.at + timedelta(days=days)
        ended = signing_keys.end(
            house.sessions, house.keyring, vkey, until=until, actor=house.actor, at=house.at
        )
    click.echo(_line(ended), err=True)


@keys.command("list")
@as_json
def show_all(*, as_json: bool) -> None:
    """Show every key that ever signed, the newest first, with its validity."""
    from reviewsvc.usecases import signing_keys

    with opened(role="worker") as house, house.sessions.begin() as session:
        found = signing_keys.history(session)
    if as_json:
        show({"items": [_shown(key) for key in found]})
        return
    for key in found:
        click.echo(_line(key))


def _settled(file: Path | None, *, only_file: bool) -> tuple["Settings", Path]:
    from reviewsvc import config

    settings = config.load(*([] if only_file else ["DATABASE_URL", "REVIEWSVC_KEK_FILE"]))
    if file is None and not settings.signing_key_file:
        raise click.UsageError("Name a FILE, or set REVIEWSVC_SIGNING_KEY_FILE.")
    return settings, file or Path(settings.signing_key_file)


def _tell(vkeys: list[str], user: str | None, overlap_days: int, *, only_file: bool) -> None:
    """Announce keys, unless only their file was asked for, and print their verifier keys."""
    if not only_file:
        from reviewsvc.usecases import signing_keys

        with opened(user, role="worker") as house:
            overlap = timedelta(days=overlap_days)
            fresh = signing_keys.announce(
                house.sessions, house.keyring, vkeys, overlap=overlap, actor=house.actor, at=house.at
            )
        told = "signs from now on" if fresh else "signs already"
        click.echo(f"{'This key' if len(vkeys) == 1 else 'These keys'}: {told}.", err=True)
    for vkey in vkeys:
        click.echo(vkey)


def _line(key: "SigningKey") -> str:
    from reviewsvc.domain.moments import moment

    until = "on" if key.valid_until is None else f"until {moment(key.valid_until):%Y-%m-%d %H:%M:%S}Z"
    return f"{key.verifier.text()}  from {moment(key.valid_from):%Y-%m-%d %H:%M:%S}Z {until}"


def _shown(key: "SigningKey") -> dict[str, Any]:
    from reviewsvc.domain.moments import moment

    until = key.valid_until
    return {
        "vkey": key.verifier.text(),
        "kind": key.verifier.kind,
        "valid_from": moment(key.valid_from),
        "valid_until": None if until is None else moment(until),
    }
