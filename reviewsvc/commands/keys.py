"""`reviewsvc keys`: the keys that sign checkpoints, and those that wrap keys."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """Make and change the keys that sign checkpoints, and those that wrap keys."""


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
    if new_state or not path.exists():
        # Before the key: who is killed in between is left with the memory of a signer that never signed.
        SignerState(Path(settings.signer_state_file or f"{path}.state")).begin()
    files.make(path, settings.origin)
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


@keys.command("rotate-kek")
@acting
@as_json
def rotate_kek(user: str | None, *, as_json: bool) -> None:
    """Make a new key-encryption key and wrap all keys with it, while the service goes on.

    Both are readable until `keys retire-kek`. Called again after an interruption it goes on where it was.
    Where the key-encryption keys are managed elsewhere, give the new one there first, before the old.
    """
    from reviewsvc.crypto.kek_sources import open_keks
    from reviewsvc.usecases import kek_rotation

    with opened(user, role="worker") as house, _progress() as progress:
        told = house.settings
        kek = open_keks(file=told.kek_file, text=told.keks, kms=told.kms)
        done = kek_rotation.rotate(
            house.sessions, house.keyring, kek, actor=house.actor, at=house.at, progress=progress
        )
    if as_json:
        show(done._asdict())
        return
    click.echo(
        f"{done.data_keys:,} data keys and {done.hash_keys} hash keys are wrapped by {done.kek_id} now."
    )
    click.echo("Copy the key file to where its backup is, then `reviewsvc keys retire-kek`.", err=True)


@keys.command("retire-kek")
@as_json
def retire_kek(*, as_json: bool) -> None:
    """Take the former key-encryption keys out of use; backups still need them until they expire."""
    from reviewsvc.crypto.kek_sources import open_keks
    from reviewsvc.usecases import kek_rotation

    with opened(role="worker") as house:
        told = house.settings
        former = kek_rotation.retire(
            house.sessions, open_keks(file=told.kek_file, text=told.keks, kms=told.kms)
        )
    if as_json:
        show({"retired": former})
        return
    click.echo(f"Out of use: {', '.join(former)}." if former else "There is only one.")


@keys.command("keks")
@as_json
def show_keks(*, as_json: bool) -> None:
    """Show how many keys each key-encryption key wraps, and which ones are given."""
    from reviewsvc.crypto.kek_sources import open_keks
    from reviewsvc.usecases import kek_rotation

    with opened(role="worker") as house:
        told = house.settings
        given = open_keks(file=told.kek_file, text=told.keks, kms=told.kms).kek_ids()
        found = {one.kek_id: one for one in kek_rotation.state(house.sessions)}
    items = [
        {
            "kek_id": kek_id,
            "is_given": kek_id in given,
            "wraps_from_now_on": kek_id == given[0],
            "data_keys": found[kek_id].data_keys if kek_id in found else 0,
            "hash_keys": found[kek_id].hash_keys if kek_id in found else 0,
        }
        for kek_id in [*given, *(kek_id for kek_id in found if kek_id not in given)]
    ]
    if as_json:
        show({"items": items})
        return
    for one in items:
        place = "wraps new keys" if one["wraps_from_now_on"] else "former" if one["is_given"] else "not given"
        click.echo(f"{one['kek_id']}  {one['data_keys']} data keys, {one['hash_keys']} hash keys  {place}")


@keys.command()
@as_json
def sweep(*, as_json: bool) -> None:
    """Write the table of keys anew, so that its file holds no destroyed key; capture waits meanwhile.

    The worker does it by itself up to 256 MiB: beyond, call this in a quiet hour after an erasure.
    """
    from reviewsvc.usecases import key_sweep

    with opened(role="worker") as house:
        before = key_sweep.sweep(house.sessions, at=house.at)
    if as_json:
        show({"swept_at": house.at, "bytes": before.size_bytes})
        return
    click.echo(f"The table of keys ({before.size_bytes:,} bytes) is written anew.")


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


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where a person looks, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _wanted: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        shown = bars.add_task("keys", total=None)
        yield lambda done, wanted: bars.update(shown, completed=done, total=wanted)


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
    from reviewsvc.domain.moments import moment, moment_of

    return {
        "vkey": key.verifier.text(),
        "kind": key.verifier.kind,
        "valid_from": moment(key.valid_from),
        "valid_until": moment_of(key.valid_until),
    }
