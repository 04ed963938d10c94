"""A server that stands as long as a block lasts: if it exits it is started again where it was."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from subprocess import Popen
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from reviewsvc.local.children import STEADY_SECONDS, delay_seconds, ending
from reviewsvc.local.cluster import PostgresFailedError
from reviewsvc.local.jars import KafkaUnavailableError

LOOK_SECONDS = 0.2


class _Server(Protocol):
    @property
    def process(self) -> Popen[bytes]: ...


Server = TypeVar("Server", bound=_Server)


class Standing(Generic[Server]):
    """Runs one server; `start` is given the one before, whose address it must take, or None at first.

    `say` gets a line each time the server exits.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[Server | None], AbstractContextManager[Server]],
        say: Callable[[str], None],
    ) -> None:
        self._name = name
        self._start = start
        self._say = say
        self._ends = ExitStack()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)

    def __enter__(self) -> Self:
        self.server = self._ends.enter_context(self._start(None))
        self._since = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The watch may be starting it again: only when that is over is there something to end.
        self._ended.set()
        self._thread.join()
        self._ends.close()

    def _watch(self) -> None:
        failures = 0
        while not self._ended.wait(LOOK_SECONDS):
            code = self.server.process.poll()
            if code is None:
                continue
            failures = 1 if time.monotonic() - self._since >= STEADY_SECONDS else failures + 1
            delay = delay_seconds(failures)
            self._say(f"{self._name} {ending(code)}; started again in {delay:g} s")
            if not self._ended.wait(delay):
                self._stand_again()

    def _stand_again(self) -> None:
        self._ends.close()
        try:
            self.server = self._ends.enter_context(self._start(self.server))
        except (KafkaUnavailableError, PostgresFailedError, OSError) as error:
            self._say(f"{self._name} could not be started again: {error}")
        self._since = time.monotonic()
