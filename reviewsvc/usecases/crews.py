"""Shares work among processes, each with a connection of its own, none with what this one has in hand."""

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from reviewsvc.db.hot.connection import Connected, connect

_AHEAD: Final = 2
_LONGEST_WAIT_S: Final = 0.2

Tell = Callable[[int], None]
Work = TypeVar("Work")
Result = TypeVar("Result")
_Given_contra = TypeVar("_Given_contra", contravariant=True)
_Come_co = TypeVar("_Come_co", covariant=True)


class Team(NamedTuple):
    """How many processes share the work, and how the others reach the database.

    `length` is that of the pieces into which long work is cut; 0 stands for the usual one.
    """

    processes: int
    url: str
    group: str = "read"
    length: int = 0


class Task(Protocol[_Given_contra, _Come_co]):
    """What every process is told once; it is pickled, and reaches the others through a pipe."""

    def begin(self, conn: Connected) -> Callable[[_Given_contra, Tell], _Come_co]:
        """Make ready to work, and return what does one piece, telling meanwhile how much of it is done."""
        ...


class _Mate(NamedTuple):
    """Another process, and the places of what it was given."""

    process: SpawnProcess
    pipe: "Connection[Any, Any]"
    given: set[int]


class Crew(Generic[Work, Result]):
    """Hands work out, takes what was done of it, and lets this process do its share."""

    def __init__(
        self, work: Sequence[Work], mates: Sequence[_Mate], told: Callable[[int, int], None]
    ) -> None:
        """`told` hears the place of a piece that is being done, and how much of it is."""
        self._work, self._mates, self._told = work, list(mates), told
        self._left = deque(range(len(work)))
        self._come: deque[tuple[int, Result]] = deque()

    def results(self, own: Callable[[Work, Tell], Result]) -> Iterator[tuple[int, Result]]:
        """Do what the others do not; yield each place and what came of it, in the order in which it comes.

        A place whose process was lost is not among them.
        """
        while self._left:
            place = self._left.popleft()
            yield place, own(self._work[place], partial(self._heard, place))
            self.listen(0)
            yield from self._taken()
        while any(mate.given for mate in self._mates):
            self.listen(_LONGEST_WAIT_S)
            yield from self._taken()

    def listen(self, seconds: float) -> None:
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
                    # It ended without a word: what it had is missing, and is done by who asked.
                    self._mates.remove(mate)
            seconds = 0

    def _heard(self, place: int, done: int) -> None:
        self._told(place, done)
        self.listen(0)

    def _taken(self) -> Iterator[tuple[int, Result]]:
        while self._come:
            yield self._come.popleft()

    def _take(self, mate: _Mate, said: tuple[int, int | None, Any] | None) -> None:
        if said is None:
            return
        place, done, result = said
        if done is not None:
            self._told(place, done)
        else:
            self._come.append((place, result))
            mate.given.discard(place)

    def _give(self, mate: _Mate) -> None:
        # Near the end nobody should hold what another could begin with.
        most = _AHEAD if len(self._left) > 2 * _AHEAD * len(self._mates) else 1
        while self._left and len(mate.given) < most:
            place = self._left.popleft()
            mate.given.add(place)
            mate.pipe.send((place, self._work[place]))


@contextmanager
def crew(
    team: Team, task: Task[Work, Result], work: Sequence[Work], told: Callable[[int, int], None]
) -> Iterator[Crew[Work, Result]]:
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
        yield Crew(work, mates, told)
    finally:
        for mate in mates:
            mate.pipe.close()
            mate.process.terminate()
            mate.process.join()


def _help(pipe: "Connection[Any, Any]", url: str, group: str, task: Task[Any, Any]) -> None:
    """Do the pieces that come through a pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with connect(url, group) as conn:
            does = task.begin(conn)
            pipe.send(None)
            while True:
                place, piece = pipe.recv()
                pipe.send((place, None, does(piece, partial(_tell, pipe, place))))
    except Exception:  # noqa: BLE001 - who asked does it himself, and meets the same fault where it can be told
        pipe.close()


def _tell(pipe: "Connection[Any, Any]", place: int, done: int) -> None:
    pipe.send((place, done, None))
