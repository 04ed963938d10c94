"""Ends the process if a call into the Kafka client does not come back: a restart is safe, hanging is not."""

import faulthandler
import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

EXIT_CODE = 70


class Watchdog:
    """Guards calls of one thread: `with watchdog: consumer.poll()`; limits in seconds."""

    def __init__(self, limit_seconds: float, *, look_every_seconds: float = 1.0) -> None:
        self._limit_seconds = limit_seconds
        self._look_every_seconds = look_every_seconds
        self._deadline = float("inf")
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    def __enter__(self) -> Self:
        # One float, written by the guarded thread and read by the watching one: no lock is needed for that.
        self._deadline = time.monotonic() + self._limit_seconds
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline = float("inf")

    def _look(self) -> None:
        while True:
            time.sleep(self._look_every_seconds)
            if time.monotonic() > self._deadline:
                _give_up(self._limit_seconds)


def _give_up(limit_seconds: float) -> None:
    """Dump every thread's stack and leave at once: after such a hang no clean-up can be trusted to end."""
    sys.stderr.write(
        f"A call into the Kafka client took over {limit_seconds:g} s; exiting to be restarted.\n"
    )
    faulthandler.dump_traceback(all_threads=True)
    sys.stderr.flush()
    os._exit(EXIT_CODE)
