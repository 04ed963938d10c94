"""Brings a log's part of a bundle into a folder, some thousand entries at a time, each part once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from reviewsvc.crypto.envelope import Cipher, EnvelopeError
from reviewsvc.db.hot import exports
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain import bundle_view
from reviewsvc.domain.bundle import PART, disclosed, folder, lines_file, needed_tiles, withheld
from reviewsvc.domain.bundle_view import Told, read_told
from reviewsvc.domain.edge import Edge
from reviewsvc.domain.entries import Entry, leaf_hash
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.tiles import HASH_BYTES, WIDTH, Tile, encode_bundle
from reviewsvc.usecases import tiles
from reviewsvc.usecases.bundle_plan import Piece, picked
from reviewsvc.usecases.keyring import Keyring

_AT_ONCE: Final = 512
_LARGEST_FILE: Final = 8 << 20
# Kinds whose payload is about a case, and may be seen by whoever may see its model.
_CASES: Final = frozenset({"prediction", "decision", "retraction", "task_moved", "label"})
# Kinds whose payload says nothing of a person but of what was done, or may be anything that arrived.
_ACTS: Final = frozenset({"document", "export", "quarantine"})
_read_entry = msgspec.json.Decoder(Entry).decode


class BundleError(RuntimeError):
    """A bundle could not be made; the text says why, and what to do."""


class Part(Struct, frozen=True):
    """What was brought in of a part of a log."""

    log: str
    first: int
    entries: int
    disclosed: int
    withheld: dict[str, int]


class Read(NamedTuple):
    """An entry as it was read."""

    seq: int
    body: bytes
    entry: Entry
    told: Told


class Stage:
    """A folder in which a bundle grows: `files` is what it will hold, `rows` the pieces of its view."""

    def __init__(self, path: Path, sessions: Sessions, keyring: Keyring, reach: Reach) -> None:
        self.path, self.files, self.rows = path, path / "files", path / "rows"
        self._sessions, self._keyring, self._reach = sessions, keyring, reach
        self._ciphers: dict[str, Cipher] = {}

    def bring(self, piece: Piece, done: set[int], note: Callable[[Part], None]) -> None:
        """Bring in a log: each part that is not done yet, then the tiles above its entries."""
        for seqs in _parts(piece, self.path):
            if seqs[0] // PART not in done:
                with self._sessions.begin() as session:
                    note(self._part(Sessions.psycopg(session), piece, seqs))
        with self._sessions.begin() as session:
            conn = Sessions.psycopg(session)
            _check_root(conn, piece)
            for tile in needed_tiles(piece.scope.size, _blocks(piece, self.path)):
                if tile.level or tile.width < WIDTH:
                    self._write(piece, tile.path(), tiles.read(conn, piece.sealed, tile))
        self._write(piece, "checkpoint", piece.note.encode())

    def _part(self, conn: Connected, piece: Piece, seqs: Sequence[int]) -> Part:
        name = piece.scope.name
        found = exports.entries(conn, piece.log_id, seqs)
        if [each.seq for each in found] != list(seqs):
            raise BundleError(_changed(piece, seqs[0], "or one behind it is missing"))
        entries = [Read(seq, body, entry := _read_entry(body), read_told(entry.facts)) for seq, body in found]
        loose: list[bytes] = []
        for block, members in groupby(entries, lambda read: read.seq // WIDTH):
            loose += self._block(conn, piece, block, list(members))
        if loose:
            self._write(piece, _inside(name, lines_file(name, "entries", seqs[0])), b"".join(loose))
        self.rows.mkdir(exist_ok=True)
        row = self.rows / f"{piece.log_id:010d}-{seqs[0] // PART:015d}.csv"
        row.write_bytes(bundle_view.rows(name, ((each.entry, each.told) for each in entries)))
        counts = self._payloads(conn, piece, [each for each in entries if each.entry.payload])
        return Part(name, seqs[0], len(entries), counts.pop("", 0), dict(counts))

    def _block(self, conn: Connected, piece: Piece, block: int, members: Sequence[Read]) -> list[bytes]:
        """Write a block's tile, and the block itself if all of it is here; else return its entries' lines."""
        width = min(WIDTH, piece.scope.size - block * WIDTH)
        tile = Tile(0, block, width)
        hashes = tiles.read(conn, piece.sealed, tile)
        for read in members:
            at = read.seq % WIDTH * HASH_BYTES
            if hashes[at : at + HASH_BYTES] != leaf_hash(read.body):
                raise BundleError(_changed(piece, read.seq, "is not what was signed"))
        self._write(piece, tile.path(), hashes)
        if len(members) == width:
            self._write(
                piece, Tile(None, block, width).path(), encode_bundle([read.body for read in members])
            )
            return []
        return [read.body + b"\n" for read in members]

    def _payloads(self, conn: Connected, piece: Piece, entries: Sequence[Read]) -> Counter[str]:
        """Write a line for each payload; return how many are withheld by reason, disclosed ones under ""."""
        counts: Counter[str] = Counter()
        lines: list[bytes] = []
        first, size = -1, 0
        for at in range(0, len(entries), _AT_ONCE):
            for seq, line, why in self._opened(conn, piece, entries[at : at + _AT_ONCE]):
                if size > _LARGEST_FILE:
                    self._write_lines(piece, first, lines)
                    lines, size = [], 0
                first = first if lines else seq
                lines.append(line)
                size += len(line)
                counts[why] += 1
        if lines:
            self._write_lines(piece, first, lines)
        return counts

    def _opened(
        self, conn: Connected, piece: Piece, entries: Sequence[Read]
    ) -> Iterator[tuple[int, bytes, str]]:
        seen = [read for read in entries if not self._refusal(read)]
        stored = exports.ciphertexts(conn, piece.log_id, [each.seq for each in seen]) if seen else {}
        self._unwrap(conn, {read.entry.payload.key for read in seen if read.entry.payload})
        for read in entries:
            said = read.entry.payload
            assert said is not None
            why = self._refusal(read)
            cipher, ciphertext = self._ciphers.get(said.key), stored.get(read.seq)
            if not why and cipher is None:
                why = "its key was destroyed: erased"
            elif not why and ciphertext is None:
                why = "no longer kept"
            if cipher is None or ciphertext is None or why:
                yield read.seq, withheld(read.seq, why), why
            else:
                yield read.seq, disclosed(read.seq, _salted(piece, read, cipher, ciphertext)), ""

    def _refusal(self, read: Read) -> str:
        """Why the exporter may not see a payload; empty if he may."""
        if read.entry.kind in _CASES:
            return "" if self._reach.covers(read.told.model) else "not the exporter's to see"
        if read.entry.kind in _ACTS:
            return "" if self._reach.everywhere else "not the exporter's to see"
        return "about people of the house"

    def _unwrap(self, conn: Connected, key_ids: set[str]) -> None:
        """Have the keys of a few payloads at hand, and no others."""
        fresh = key_ids - self._ciphers.keys()
        kept = {key_id: self._ciphers[key_id] for key_id in key_ids - fresh}
        found = exports.wrapped_keys(conn, fresh) if fresh else {}
        self._ciphers = kept | {key_id: self._keyring.cipher(wrapped) for key_id, wrapped in found.items()}

    def _write_lines(self, piece: Piece, first: int, lines: Iterable[bytes]) -> None:
        name = piece.scope.name
        self._write(piece, _inside(name, lines_file(name, "payloads", first)), b"".join(lines))

    def _write(self, piece: Piece, path: str, data: bytes) -> None:
        target = self.files / folder(piece.scope.name) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _check_root(conn: Connected, piece: Piece) -> None:
    """What is in no stored tile yet was hashed anew: the root must be the one that was signed."""
    sealed = piece.sealed
    edge = Edge(sealed.size, tiles.partials(conn, sealed.log_id, sealed.size))
    if edge.root() != sealed.root:
        raise BundleError(
            f"the first {sealed.size} entries of {sealed.name} are not what was signed; "
            "run `reviewsvc audit verify`"
        )


def _salted(piece: Piece, read: Read, cipher: Cipher, ciphertext: bytes) -> bytes:
    assert read.entry.payload is not None
    try:
        return cipher.open_salted(ciphertext, bytes.fromhex(read.entry.payload.commit))
    except EnvelopeError as error:
        raise BundleError(_changed(piece, read.seq, f"has another payload: {error}")) from error


def _changed(piece: Piece, seq: int, what: str) -> str:
    return f"entry {seq} of {piece.scope.name} {what}; run `reviewsvc audit verify`"


def _inside(log: str, path: str) -> str:
    return path.removeprefix(f"{folder(log)}/")


def _seqs(piece: Piece, path: Path) -> Iterable[int]:
    scope = piece.scope
    return range(scope.first, scope.behind) if scope.scope == "range" else picked(path, piece.log_id)


def _parts(piece: Piece, path: Path) -> Iterator[Sequence[int]]:
    for _, members in groupby(_seqs(piece, path), lambda seq: seq // PART):
        yield list(members)


def _blocks(piece: Piece, path: Path) -> Iterator[int]:
    scope = piece.scope
    if scope.scope == "range":
        yield from range(scope.first // WIDTH, -(-scope.behind // WIDTH))
        return
    for block, _ in groupby(picked(path, piece.log_id), lambda seq: seq // WIDTH):
        yield block
