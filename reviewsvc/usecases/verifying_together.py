"""Shares the verification of logs among processes; what they find is what one alone would find."""

import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import LogReport
from reviewsvc.usecases.log_check import LogCheck, Part, Piece, Progress
from reviewsvc.usecases.log_parts import PIECE, added, cut, is_vouched, joined
from reviewsvc.usecases.note_check import NoteCheck
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.projection_check import Known
from reviewsvc.usecases.root_check import RootCheck

_AHEAD: Final = 2
_LONGEST_WAIT_S: Final = 0.2


class Team(NamedTuple):
    """How many processes share the work, and how the others reach the database.

    `length` is that of the pieces into which a long log is cut, a multiple of CHUNK.
    """

    processes: int
    url: str
    group: str = "read"
    length: int = PIECE


class Task(NamedTuple):
    """What every process is told once."""

    heads: Sequence[scan.LogHead]
    notes: NoteCheck
    known: Mapping[str, Sequence[SignedRoot]]
    projections: bool
    keks: KekSource | None = None

    def check(self, conn: Connected, root: RootCheck | None = None) -> LogCheck:
        """Make a check that keeps its own counts; without `root` it follows no root log."""
        return LogCheck(
            conn, self.heads, self.notes, self.known, root, projections=self.projections, keks=self.keks
        )


class Together:
    """Verifies logs with others' help; a log in which anything is wrong is verified again as a whole."""

    def __init__(self, conn: Connected, team: Team, task: Task, alone: LogCheck) -> None:
        """`alone` verifies what is not shared: root logs, and logs in which something was found."""
        self._conn, self._team, self._task, self._alone = conn, team, task, alone
        self._found: list[Known] = []

    def check(self, pieces: Sequence[Piece], progress: Progress) -> list[LogReport]:
        """Verify these pieces and say what was found, in their order."""
        shared = [piece for piece in pieces if piece.head.kind != "root"]
        cuts = [cut(piece, self._team.length, projections=self._task.projections) for piece in shared]
        with _crew(self._team, self._task, [part for each in cuts for part in each], progress) as crew:
            roots = [self._alone.check(piece, crew.told) for piece in pieces if piece.head.kind == "root"]
            done = iter(crew.work(self._task.check(self._conn)))
        came = [[next(done) for _ in each] for each in cuts]
        joints = zip(shared, came, strict=True)
        logs = iter([self._join(parts) or self._alone.check(piece, progress) for piece, parts in joints])
        of_root = iter(roots)
        return [next(of_root if piece.head.kind == "root" else logs) for piece in pieces]

    def known(self) -> Known:
        """How many rows were found to belong to entries."""
        own = self._alone.rows
        return added([*self._found, own.known() if own else {}])

    def _join(self, came: Sequence[Part | None]) -> LogReport | None:
        report = joined(came)
        if report is not None:
            self._found += [part.known for part in came if part is not None]
            if is_vouched(came):
                self._alone.vouched.add(report.log)
        return report


class _Mate(NamedTuple):
    """Another process, and the places of what it was given."""

    process: SpawnProcess
    pipe: "Connection[Any, Any]"
    given: set[int]


class _Crew:
    """Hands work out, takes what was done of it, and lets this process do its share."""

    def __init__(self, work: Sequence[Piece], mates: Sequence[_Mate], progress: Progress) -> None:
        self._work, self._mates, self._progress = work, list(mates), progress
        self._left = deque(range(len(work)))
        self._done: dict[int, Part] = {}
        self._read: dict[int, int] = {}
        self._sums: dict[str, list[int]] = {}
        for piece in work:
            self._sums.setdefault(piece.head.name, [0, 0])[1] += piece.behind - piece.first

    def work(self, own: LogCheck) -> list[Part | None]:
        """Do what the others do not; return what came of each piece, None where a process was lost."""
        while self._left:
            place = self._left.popleft()
            self._done[place] = own.part(self._work[place], partial(self._heard, place))
        while any(mate.given for mate in self._mates):
            self._listen(_LONGEST_WAIT_S)
        return [self._done.get(place) for place in range(len(self._work))]

    def told(self, log: str, done: int, size: int) -> None:
        """Show progress of what is not shared, and hear the others meanwhile."""
        self._progress(log, done, size)
        self._listen(0)

    def _heard(self, place: int, _log: str, read: int, _size: int) -> None:
        self._show(place, read)
        self._listen(0)

    def _show(self, place: int, read: int) -> None:
        log = self._work[place].head.name
        sums = self._sums[log]
        sums[0] += read - self._read.get(place, 0)
        self._read[place] = read
        self._progress(log, *sums)

    def _listen(self, seconds: float) -> None:
        """Take what the others say, until nothing more has come."""
        while self._mates:
            ready = wait([mate.pipe for mate in self._mates], seconds)
            if not ready:
                return
            for mate in [each for each in self._mates if each.pipe in ready]:
                try:
                    self._take(mate, mate.pipe.recv())
                    self._give(mate)
                except (EOFError, OSError):
                    # It ended without a word: what it had is missing, and is verified here.
                    self._mates.remove(mate)
            seconds = 0

    def _take(self, mate: _Mate, said: tuple[int, int | Part] | None) -> None:
        if said is None:
            return
        place, what = said
        if isinstance(what, int):
            self._show(place, what)
        else:
            self._done[place] = what
            mate.given.discard(place)

    def _give(self, mate: _Mate) -> None:
        # Near the end nobody should hold what another could begin with.
        most = _AHEAD if len(self._left) > 2 * _AHEAD * len(self._mates) else 1
        while self._left and len(mate.given) < most:
            place = self._left.popleft()
            mate.given.add(place)
            mate.pipe.send((place, self._work[place]))


@contextmanager
def _crew(team: Team, task: Task, work: Sequence[Piece], progress: Progress) -> Iterator[_Crew]:
    """Start the other processes, and end them, whatever happens."""
    # None of them shares this one's connection or threads, as forked ones would.
    context = get_context("spawn")
    mates: list[_Mate] = []
    try:
        for _ in range(min(team.processes, len(work)) - 1):
            ours, theirs = context.Pipe()
            process = context.Process(target=_help, args=(theirs, team.url, team.group, task), daemon=True)
            process.start()
            theirs.close()
            mates.append(_Mate(process, ours, set()))
        yield _Crew(work, mates, progress)
    finally:
        for mate in mates:
            mate.pipe.close()
            mate.process.terminate()
            mate.process.join()


def _help(pipe: "Connection[Any, Any]", url: str, group: str, task: Task) -> None:
    """Verify the pieces that come through a pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with connect(url, group) as conn:
            check = task.check(conn)
            pipe.send(None)
            while True:
                place, piece = pipe.recv()
                pipe.send((place, check.part(piece, partial(_tell, pipe, place))))
    except Exception:  # noqa: BLE001 - who asked verifies it himself, and meets the same fault where it can be told
        pipe.close()


def _tell(pipe: "Connection[Any, Any]", place: int, _log: str, read: int, _size: int) -> None:
    pipe.send((place, read))
