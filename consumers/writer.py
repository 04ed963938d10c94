"""Writes batches on a thread and connection of its own, so that the next one is built meanwhile."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from consumers.assembly import Work
from reviewsvc.db.hot import batches
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.connection import Connected


class Pending:
    """A batch on its way: what it is made of, and the rows as they were sent."""

    def __init__(self, works: Sequence[Work], rows: Sequence[LogRows], done: "Future[float]") -> None:
        self.works, self.rows, self._done = works, rows, done
        self.seconds = 0.0

    def wait(self) -> None:
        """Wait until it is durable; raises whatever kept it from being so."""
        self.seconds = self._done.result()


class Writer:
    """One batch at a time; the connection is used by the thread alone while a batch is on its way."""

    def __init__(self, conn: Connected) -> None:
        self.conn = conn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")

    def submit(self, generation: int, works: Sequence[Work], rows: Sequence[LogRows]) -> Pending:
        """Send a batch and return at once."""
        return Pending(works, rows, self._thread.submit(self._write, generation, rows))

    def close(self) -> None:
        """Wait for what is on its way, then close the connection."""
        self._thread.shutdown(wait=True)
        self.conn.close()

    def _write(self, generation: int, rows: Sequence[LogRows]) -> float:
        began = time.monotonic()
        batches.write(self.conn, generation, rows)
        return time.monotonic() - began
