"""Publishes the logs as static files, C2SP tlog-tiles, each time only what is new."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from reviewsvc.crypto.notes import NoteError, Verifier, open_note
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db.hot import locks
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError, parse_checkpoint
from reviewsvc.domain.edge import Edge
from reviewsvc.domain.entries import leaf_hash
from reviewsvc.domain.tiles import WIDTH, Tile, bundles_of, encode_bundle, tiles_of
from reviewsvc.usecases import tiles
from reviewsvc.usecases.key_history import SigningKey, read_history

KEYS_FILE: Final = "verifier-keys.txt"
_BUNDLES_AT_ONCE: Final = 16


class PublishError(RuntimeError):
    """Nothing (more) was published: the place holds something else, or a log is not what was signed of it."""


class Place(Protocol):
    """Where files are published: a folder, or what can do the same; its name is the same for all."""

    name: str

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole, or put it in the place of one."""
        ...

    def sync(self) -> None:
        """Return when all that was written will outlast a crash."""
        ...


class Published(NamedTuple):
    """What was done: logs that are now published, entries and files that were new."""

    logs: int
    entries: int
    files: int


def publish(conn: Connected, place: Place, *, check: bool = False) -> Published:
    """Write every signed log below `logs/<name>/` up to its last checkpoint, and the keys that verify them.

    A log's tiles are there before its checkpoint tells of them. One at a time publishes to a place, so that
    its checkpoints never go back. What is there of a log is gone through, and what is missing or damaged is
    written anew, if its right edge is, where it would grow; with `check`, always. Raises PublishError.
    """
    with locks.publishing(conn, place.name) as is_alone:
        if not is_alone:
            raise PublishError(f"somebody else publishes to {place.name} now: call again when that has ended")
        return _publish(conn, place, check=check)


def _publish(conn: Connected, place: Place, *, check: bool) -> Published:
    keys = read_history(stored.keys(conn))
    found = stored.sealed_logs(conn)
    if not found:
        raise PublishError("nothing is signed yet: `reviewsvc keys make`, then let the worker run")
    entries = files = 0
    verifiers = [verifier_of(log, keys) for log in found]
    for log, verifier in zip(found, verifiers, strict=True):
        known = _published(conn, place, log, verifier.name)
        if known is None:
            continue
        entries += log.size - known
        again = check or (known < log.size and not _is_whole(conn, place, log, known))
        files += _write(place, log, _new_files(conn, log, 0 if again else known), is_compared=again)
    place.write(KEYS_FILE, _lines(verifiers))
    place.sync()
    return Published(len(found), entries, files + 1)


def verifier_keys(conn: Connected) -> bytes:
    """Return the keys that verify the logs as they are signed now, one a line. Raises PublishError."""
    keys = read_history(stored.keys(conn))
    return _lines([verifier_of(log, keys) for log in stored.sealed_logs(conn)])


def verifier_of(log: SealedLog, keys: Sequence[SigningKey]) -> Verifier:
    """Return the newest key that signed a log's last checkpoint, as that log's. Raises PublishError."""
    for key in keys:
        if key.is_second:
            continue
        verifier = named(key.verifier, log.name)
        try:
            text = open_note(log.note.encode(), [verifier]).text
            said = parse_checkpoint(text)
        except (NoteError, CheckpointError):
            continue
        if said == Checkpoint(verifier.name, log.size, log.root):
            return verifier
    raise PublishError(f"no known key signed {log.name}, size {log.size}: run `reviewsvc audit verify`")


def _lines(verifiers: Sequence[Verifier]) -> bytes:
    return "".join(f"{each.text()}\n" for each in verifiers).encode()


def _folder(log: SealedLog) -> str:
    return f"logs/{log.name}"


def _write(place: Place, log: SealedLog, new: Iterator[tuple[str, bytes]], *, is_compared: bool) -> int:
    """Write files, and then the checkpoint that tells of them; return how many were not there as they are."""
    files, folder, note = 0, _folder(log), log.note.encode()
    for name, data in new:
        if not is_compared or place.read(f"{folder}/{name}") != data:
            place.write(f"{folder}/{name}", data)
            files += 1
    if place.read(f"{folder}/checkpoint") != note:
        place.sync()
        place.write(f"{folder}/checkpoint", note)
        files += 1
    return files


def _is_whole(conn: Connected, place: Place, log: SealedLog, size: int) -> bool:
    """Say whether the files at the right edge of what is published are there as they should be."""
    edge = [Tile(None, (size - 1) // WIDTH, (size - 1) % WIDTH + 1)] if size else []
    level = 0
    while count := size >> 8 * level:
        edge.append(Tile(level, (count - 1) // WIDTH, (count - 1) % WIDTH + 1))
        level += 1
    return all(place.read(f"{_folder(log)}/{tile.path()}") == tiles.read(conn, log, tile) for tile in edge)


def _published(conn: Connected, place: Place, log: SealedLog, origin: str) -> int | None:
    """How many of a log's entries are published, which must be a prefix of what is signed now.

    None if more was published before a restore than is left: that stays as it is.
    """
    data = place.read(f"{_folder(log)}/checkpoint")
    if data is None:
        return 0
    try:
        said = parse_checkpoint(data.decode().rpartition("\n\n")[0] + "\n")
    except (UnicodeDecodeError, CheckpointError) as fault:
        raise PublishError(
            f"{_folder(log)}/checkpoint is damaged ({fault}): publish to a new place"
        ) from fault
    row = stored.checkpoint(conn, log.log_id, said.size)
    if said.size > log.size and said.origin == origin and stored.went_on(conn, log.log_id):
        return None
    if row is None or (said.origin, said.root) != (origin, row.root):
        raise PublishError(
            f"{_folder(log)} holds {said.size} entries of a history that is not this database's: "
            "publish to another place, and find out why"
        )
    return said.size


def _new_files(conn: Connected, log: SealedLog, known: int) -> Iterator[tuple[str, bytes]]:
    """Yield bundles and tiles that came since; what does not lead to the signed root is never given."""
    if known == log.size:
        return
    edge = Edge(log.size, tiles.partials(conn, log.log_id, log.size))
    if edge.root() != log.root:
        raise PublishError(f"{log.name} is not what was signed of it: run `reviewsvc audit verify`")
    yield from _bundles(conn, log, known)
    for tile in tiles_of(log.size, known):
        if tile.level != 0:
            yield tile.path(), tiles.read(conn, log, tile)


def _bundles(conn: Connected, log: SealedLog, known: int) -> Iterator[tuple[str, bytes]]:
    """Yield bundles of entries, each with the tile of their hashes, which are computed from what is given."""
    wanted = list(bundles_of(log.size, known))
    for at in range(0, len(wanted), _BUNDLES_AT_ONCE):
        part = wanted[at : at + _BUNDLES_AT_ONCE]
        first = part[0].index * WIDTH
        bodies = tiles.entries(conn, log.log_id, range(first, part[-1].index * WIDTH + part[-1].width))
        for bundle in part:
            begin = bundle.index * WIDTH - first
            held = bodies[begin : begin + bundle.width]
            hashes = b"".join(map(leaf_hash, held))
            tile = Tile(0, bundle.index, bundle.width)
            if bundle.width == WIDTH and hashes != tiles.read(conn, log, tile):
                raise PublishError(f"{log.name}, entries from {first + begin}: run `reviewsvc audit verify`")
            yield bundle.path(), encode_bundle(held)
            yield tile.path(), hashes
