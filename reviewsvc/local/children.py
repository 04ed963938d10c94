"""The keeper: runs named children, starts again what exits, stops all in reverse order."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import FrameType, TracebackType
from typing import Self

from reviewsvc.local import tether
from reviewsvc.local.echo import Echo
from reviewsvc.local.ports import is_ready
from reviewsvc.local.terminal import say as say_on_stderr

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0
STEP_SECONDS = 0.1


@dataclass(frozen=True)
class Child:
    """A process to keep running: its command, what its environment adds, its health port if any."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    health_port: int | None = None

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the child's own over it."""
        health = {} if self.health_port is None else {"REVIEWSVC_HEALTH_PORT": str(self.health_port)}
        return {**os.environ, **health, **self.env}


@dataclass
class _State:
    child: Child
    log: Path
    process: Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


def delay_seconds(failures: int) -> float:
    """Return how long to wait before the next start, after so many exits in a row."""
    doublings = min(failures - 1, 16)
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * float(2**doublings))


class Keeper:
    """Keeps children running while its block lasts; their output goes to one file each in `logs`.

    `clock` tells seconds that only grow; `say` gets one line each time a child exits or is started again.
    """

    def __init__(
        self,
        children: Sequence[Child],
        logs: Path,
        *,
        echo: bool = False,
        grace_seconds: float = 10,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = say_on_stderr,
    ) -> None:
        self._states = [_State(child, logs / f"{child.name}.log") for child in children]
        self._echo = Echo({state.child.name: state.log for state in self._states}, say) if echo else None
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._say = say
        # Held by each step and by the end, so that nothing is started again while all are stopped.
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        threading.Thread(target=self._watch, name="keeper", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every child, in order; a block does this by itself."""
        for state in self._states:
            state.log.parent.mkdir(parents=True, exist_ok=True)
            self._launch(state)

    def step(self) -> None:
        """Note exits and start again what is due; a block does this ten times a second."""
        with self._lock:
            if self._ended.is_set():
                return
            for state in self._states:
                self._look_after(state)
            if self._echo:
                self._echo.forward()

    def stop(self) -> None:
        """Stop all in reverse order: asked first, killed after the grace period or when asked to hurry."""
        with self._lock:
            self._ended.set()
            grace_seconds = self._grace_seconds
            for state in reversed(self._states):
                if state.process is not None:
                    grace_seconds = _end(state.process, grace_seconds)
            if self._echo:
                self._echo.forward()

    def wait(self) -> None:
        """Wait until the person or the system asks this process to end; see `interruptible`."""
        self._ended.wait()

    def pids(self) -> dict[str, int]:
        """Return the process ids of the children that run."""
        running = {state.child.name: state.process for state in self._states}
        return {name: each.pid for name, each in running.items() if each is not None and each.poll() is None}

    def failures(self) -> dict[str, int]:
        """Return how often in a row each child has exited soon after its start."""
        return {state.child.name: state.failures for state in self._states}

    def not_ready(self) -> list[str]:
        """Return the names of the children whose health port does not yet answer `/readyz` with 200."""
        ports = {state.child.name: state.child.health_port for state in self._states}
        return [name for name, port in ports.items() if port is not None and not is_ready(port)]

    def _launch(self, state: _State) -> None:
        state.process = tether.spawn(state.child.command, log=state.log, env=state.child.environment())
        state.started = self._clock()

    def _look_after(self, state: _State) -> None:
        now = self._clock()
        if state.process is None:
            if now >= state.due:
                self._launch_again(state, now)
            return
        code = state.process.poll()
        if code is not None:
            tether.stop(state.process)
            state.process = None
            state.failures = 0 if now - state.started >= STEADY_SECONDS else state.failures
            self._put_off(state, now, ending(code))

    def _launch_again(self, state: _State, now: float) -> None:
        try:
            self._launch(state)
        except OSError as error:
            self._put_off(state, now, f"could not be started ({error})")

    def _put_off(self, state: _State, now: float, why: str) -> None:
        state.failures += 1
        delay = delay_seconds(state.failures)
        state.due = now + delay
        self._say(f"{state.child.name} {why}; started again in {delay:g} s (log: {state.log})")

    def _watch(self) -> None:
        while not self._ended.wait(STEP_SECONDS):
            self.step()


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM and a closed terminal end the block as Ctrl-C does; for the main thread only."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    asked = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    former = {number: signal.signal(number, interrupt) for number in asked}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _end(process: Popen[bytes], grace_seconds: float) -> float:
    """Stop one child and return the grace of the next: none once somebody has asked again."""
    try:
        tether.stop(process, grace_seconds=grace_seconds)
    except KeyboardInterrupt:
        tether.stop(process, grace_seconds=0)
        return 0
    return grace_seconds


def ending(code: int) -> str:
    """Say in words how a process ended; `code` is as subprocess gives it."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
