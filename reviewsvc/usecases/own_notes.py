"""Checkpoints that left the house and came back: only what a key of this house signed proves something."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reviewsvc.crypto.notes import NoteError, open_note
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.checkpoint import CheckpointError, parse_checkpoint
from reviewsvc.domain.signing import Tip
from reviewsvc.usecases.key_history import read_history


class Lost(NamedTuple):
    """A checkpoint of this house that its database does not have: what is lost in words, and the note."""

    told: str
    note: bytes


class NotOursError(ValueError):
    """A note is no checkpoint of this installation, or no key known here signed it; the text says why."""


def read(conn: Connected, note: bytes) -> Tip:
    """Read a checkpoint that a key of this house signed, whenever that was good. Raises NotOursError."""
    origin, known = scan.origin(conn), read_history(stored.keys(conn))
    log = note.partition(b"\n")[0].decode("ascii", "replace").removeprefix(f"{origin}/")
    try:
        found = parse_checkpoint(open_note(note, [named(key.verifier, log) for key in known]).text)
    except (NoteError, CheckpointError) as fault:
        raise NotOursError(f"this is no checkpoint of this installation: {fault}") from fault
    return Tip(found.origin, found.size, found.root.hex())


def read_all(conn: Connected, notes: Iterable[bytes]) -> tuple[list[Tip], list[str]]:
    """Read those that are this house's, and say of the others why they prove nothing."""
    found, strange = [], []
    for note in notes:
        try:
            found.append(read(conn, note))
        except NotOursError as fault:
            strange.append(str(fault))
    return found, strange


def lost(conn: Connected, notes: Sequence[bytes]) -> Lost | None:
    """The largest of these checkpoints that a root log here does not have; None if it has them all.

    What is no checkpoint of ours, or of a root log that has gone on as another since, is passed over.
    """
    origin, newest = scan.origin(conn), _newest_root(conn)
    missing: list[tuple[int, int, Lost]] = []
    for note in notes:
        try:
            tip = read(conn, note)
        except NotOursError:
            continue
        name = tip.origin.removeprefix(f"{origin}/")
        series, _, incarnation = name.rpartition("/")
        if series != "root" or int(incarnation) < newest.incarnation:
            continue
        row = stored.checkpoint(conn, newest.log_id, tip.size) if name == newest.name else None
        if row is None or row.root.hex() != tip.root:
            is_more = name != newest.name or tip.size > newest.size
            here = f"{newest.size} of {newest.name} are here" if is_more else "others are here"
            told = f"{name}: {tip.size} entries were signed, {here}"
            missing.append((int(incarnation), tip.size, Lost(told, note)))
    return max(missing)[2] if missing else None


class _Root(NamedTuple):
    log_id: int
    name: str
    incarnation: int
    size: int


def _newest_root(conn: Connected) -> _Root:
    roots = [
        _Root(log.log_id, log.name, int(log.name.rpartition("/")[2]), log.size)
        for log in scan.logs(conn)
        if log.kind == "root"
    ]
    return max(roots, key=lambda root: root.incarnation)
