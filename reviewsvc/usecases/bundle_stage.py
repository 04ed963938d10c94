"""The folder in which a bundle grows, part by part, each part once, whoever brings it in."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.bundle import PART, folder, needed_tiles
from reviewsvc.domain.edge import Edge
from reviewsvc.domain.permissions import Reach
from reviewsvc.domain.tiles import WIDTH
from reviewsvc.usecases import tiles
from reviewsvc.usecases.bundle_bins import Contents
from reviewsvc.usecases.bundle_parts import BundleError, Part, PartMaker, PartTask, Places, Slice
from reviewsvc.usecases.bundle_payloads import Sight
from reviewsvc.usecases.bundle_pieces import Piece, all_picked
from reviewsvc.usecases.bundle_views import write_views
from reviewsvc.usecases.crews import Crew, Team, Tell, crew
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.payload_check import KekSource

# Another process takes about a second to start: so many parts are done by one alone in that time.
_WORTH_A_PROCESS: Final = 8
_MARK_BYTES: Final = 4


class Help(NamedTuple):
    """How many processes bring parts in if there are many, where the database is, and where the KEKs are."""

    processes: int
    url: str
    keks: KekSource


class Seer(NamedTuple):
    """Whose payloads an exporter may see, and with what they are opened."""

    keyring: Keyring
    reach: Reach


class Stage:
    """A folder in which a bundle grows: its files loose or in bins, and the pieces of its views."""

    def __init__(self, path: Path, sessions: Sessions, seer: Seer, help_: Help | None = None) -> None:
        self.files, self._path = path / "files", path
        self._sessions, self._seer, self._help = sessions, seer, help_
        self._places = Places(path, os.urandom(_MARK_BYTES).hex())
        for each in (self.files, path / "bins", path / "rows"):
            each.mkdir(exist_ok=True)

    def tidy(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts whose files are here as a whole; remove what is left of others."""
        whole = [part for part in parts if self._is_here(part)]
        names = {part.name for part in whole}
        for each in ("bins", "rows"):
            for path in (self._path / each).iterdir():
                if path.stem not in names:
                    path.unlink()
        return whole

    def bring(self, pieces: Sequence[Piece], done: Iterable[Part], note: Callable[[Part], None]) -> None:
        """Bring in all parts of these logs that are not done yet, then the tiles above the entries."""
        known = {(part.log, part.first) for part in done}
        cut = (each for piece in pieces for each in _slices(piece, self._path))
        self._share([each for each in cut if (each.piece.scope.name, each.first) not in known], note)
        for piece in pieces:
            try:
                with self._sessions.begin() as session:
                    self._bring_tiles(Sessions.psycopg(session), piece)
            except tiles.TileMissingError as error:
                raise BundleError(_torn(piece, error)) from error

    def contents(self, parts: Iterable[Part]) -> Contents:
        """All files that are here, those of these parts and the loose ones."""
        return Contents(self.files, ((self._places.bin(part.name), part.files) for part in parts))

    def write_views(self, parts: Iterable[Part]) -> None:
        """Write the views of these parts."""
        write_views([self._places.rows(name) for name in sorted(part.name for part in parts)], self.files)

    def _is_here(self, part: Part) -> bool:
        path = self._places.bin(part.name)
        return path.exists() and path.stat().st_size == sum(each.size for each in part.files)

    def _share(self, work: Sequence[Slice], note: Callable[[Part], None]) -> None:
        sight = Sight(self._seer.keyring.cipher, self._seer.reach)
        maker = PartMaker(sight, self._places)

        def own(each: Slice, _tell: Tell) -> Part:
            try:
                with self._sessions.begin() as session:
                    return maker.bring(Sessions.psycopg(session), each)
            except tiles.TileMissingError as error:
                raise BundleError(_torn(each.piece, error)) from error

        lost = set(range(len(work)))
        with self._crew(work) as mates:
            for place, part in mates.results(own):
                note(part)
                lost.discard(place)
        for place in sorted(lost):
            note(own(work[place], lambda _done: None))

    def _bring_tiles(self, conn: Connected, piece: Piece) -> None:
        sealed = piece.sealed
        partials = tiles.partials(conn, sealed.log_id, sealed.size)
        _check_root(piece, partials)
        for tile in needed_tiles(piece.scope.size, _blocks(piece, self._path)):
            if tile.width < WIDTH:
                self._write(piece, tile.path(), b"".join(partials[tile.level or 0]))
            elif tile.level:
                self._write(piece, tile.path(), tiles.read(conn, sealed, tile))
        self._write(piece, "checkpoint", piece.note.encode())

    def _write(self, piece: Piece, path: str, data: bytes) -> None:
        target = self.files / folder(piece.scope.name) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def _crew(self, work: Sequence[Slice]) -> AbstractContextManager[Crew[Slice, Part]]:
        helped = self._help or Help(1, "", KekSource())
        task = PartTask(helped.keks, self._seer.reach, self._places)
        processes = min(helped.processes, len(work) // _WORTH_A_PROCESS)
        team = Team(processes, helped.url, self._sessions.role)
        return crew(team, task, work, lambda _place, _done: None)


def _check_root(piece: Piece, partials: Sequence[Sequence[bytes]]) -> None:
    """What is in no stored tile yet was hashed anew: the root must be the one that was signed."""
    sealed = piece.sealed
    if Edge(sealed.size, partials).root() != sealed.root:
        raise BundleError(
            f"the first {sealed.size} entries of {sealed.name} are not what was signed; "
            "run `reviewsvc audit verify`"
        )


def _torn(piece: Piece, error: tiles.TileMissingError) -> str:
    return (
        f"{piece.scope.name} cannot be proved: {error}; something removed what it must have. "
        f"Run `reviewsvc audit verify --log {piece.scope.name}`, and restore a backup that has them"
    )


def _slices(piece: Piece, path: Path) -> Iterator[Slice]:
    """Cut a log into parts of whole tiles, of at least PART entries where there are so many."""
    scope = piece.scope
    if scope.scope == "range":
        first = scope.first
        for end in range(first - first % PART + PART, scope.behind + PART, PART):
            if first < scope.behind:
                yield Slice(piece, first, first, min(end, scope.behind))
            first = end
        return
    begin = end = first = 0
    for _, members in groupby(all_picked(path, piece.log_id), _block_of):
        for seq in members:
            first = seq if begin == end else first
            end += 1
        if end - begin >= PART:
            yield Slice(piece, first, begin, end)
            begin = end
    if end > begin:
        yield Slice(piece, first, begin, end)


def _blocks(piece: Piece, path: Path) -> Iterator[int]:
    scope = piece.scope
    if scope.scope == "range":
        yield from range(scope.first // WIDTH, -(-scope.behind // WIDTH))
        return
    for block, _ in groupby(all_picked(path, piece.log_id), _block_of):
        yield block


def _block_of(seq: int) -> int:
    return seq // WIDTH
