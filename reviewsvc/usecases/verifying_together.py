"""Shares the verification of logs among processes; what they find is what one alone would find."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import LogReport
from reviewsvc.usecases.crews import Team, Tell, crew
from reviewsvc.usecases.log_check import LogCheck, Part, Piece, Progress
from reviewsvc.usecases.log_parts import PIECE, added, cut, is_vouched, joined
from reviewsvc.usecases.note_check import NoteCheck
from reviewsvc.usecases.payload_check import KekSource
from reviewsvc.usecases.projection_check import Known
from reviewsvc.usecases.root_check import RootCheck

__all__ = ["Task", "Team", "Together"]


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

    def begin(self, conn: Connected) -> Callable[[Piece, Tell], Part]:
        """Make a check in a process, and return what it does with a piece."""
        check = self.check(conn)
        return lambda piece, tell: check.part(piece, lambda _log, read, _size: tell(read))


class Together:
    """Verifies logs with others' help; a log in which anything is wrong is verified again as a whole."""

    def __init__(self, conn: Connected, team: Team, task: Task, alone: LogCheck) -> None:
        """`alone` verifies what is not shared: root logs, and logs in which something was found."""
        self._conn, self._team, self._task, self._alone = conn, team, task, alone
        self._found: list[Known] = []

    def check(self, pieces: Sequence[Piece], progress: Progress) -> list[LogReport]:
        """Verify these pieces and say what was found, in their order."""
        shared = [piece for piece in pieces if piece.head.kind != "root"]
        length = self._team.length or PIECE
        cuts = [cut(piece, length, projections=self._task.projections) for piece in shared]
        work = [part for each in cuts for part in each]
        with crew(self._team, self._task, work, _Sums(work, progress).show) as mates:

            def told(log: str, done: int, size: int) -> None:
                progress(log, done, size)
                mates.listen(0)

            roots = [self._alone.check(piece, told) for piece in pieces if piece.head.kind == "root"]
            done = dict(mates.results(self._task.begin(self._conn)))
        places = iter(range(len(work)))
        came = [[done.get(next(places)) for _ in each] for each in cuts]
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


class _Sums:
    """How much of each log is read, whoever reads it."""

    def __init__(self, work: Sequence[Piece], progress: Progress) -> None:
        self._work, self._progress = work, progress
        self._read: dict[int, int] = {}
        self._sums: dict[str, list[int]] = {}
        for piece in work:
            self._sums.setdefault(piece.head.name, [0, 0])[1] += piece.behind - piece.first

    def show(self, place: int, read: int) -> None:
        log = self._work[place].head.name
        sums = self._sums[log]
        sums[0] += read - self._read.get(place, 0)
        self._read[place] = read
        self._progress(log, *sums)
