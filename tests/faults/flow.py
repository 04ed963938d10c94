"""Events that flow at a steady rate while things break, and the sum at the end."""

import json
import threading
import time
from types import TracebackType
from typing import Any, Self

from consumers import broker
from tests.fixtures.capturing import PATIENCE_SECONDS, Capturing, event
from tests.fixtures.processes import eventually

UNSURE = {"label": "refuse", "confidence": 0.55}
UNSURE_EVERY = 20


class Flow:
    """Sends numbered events at one rate while its block runs, a twentieth of them for people.

    So many within so many seconds at least; partitions take turns.
    """

    def __init__(self, capturing: Capturing, count: int, seconds: float, partitions: int = 3) -> None:
        self.capturing, self.count, self.seconds, self.partitions = capturing, count, seconds, partitions
        self.sent = 0
        self.took = 0.0
        self._ended, self._abandoned = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send, name="flow", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if error is not None:
            self._abandoned.set()
        self._thread.join()

    def _send(self) -> None:
        producer = broker.producer(self.capturing.kafka, client_id="flow")
        began = time.monotonic()
        while not self._abandoned.is_set() and not (self._ended.is_set() and self.sent >= self.count):
            more: dict[str, Any] = {} if self.sent % UNSURE_EVERY else {"output": UNSURE}
            data = json.dumps(event(self.sent, **more)).encode()
            producer.send(self.capturing.topic, data, partition=self.sent % self.partitions)
            self.sent += 1
            ahead = began + self.seconds * self.sent / self.count - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        producer.flush(timeout=PATIENCE_SECONDS)
        producer.close(timeout=PATIENCE_SECONDS)
        self.took = time.monotonic() - began

    def is_captured(self, seconds: float = 120) -> bool:
        """Say whether all that was sent is captured soon."""
        parts = range(self.partitions)
        return eventually(
            lambda: sum(self.capturing.offsets(part) for part in parts) >= self.sent, seconds=seconds
        )

    def sum(self) -> dict[str, Any]:
        """Count what was captured: lost, doubled, quarantined, tasks; and verify it all."""
        query = "SELECT count(*), count(DISTINCT id_hash) FROM prediction"
        ((stored, different),) = self.capturing.rows(query)
        ((quarantined,),) = self.capturing.rows("SELECT count(*) FROM quarantine")
        ((tasks,),) = self.capturing.rows("SELECT count(*) FROM task")
        report = self.capturing.verified()
        return {
            "events": self.sent,
            "seconds": round(self.took, 1),
            "lost": self.sent - different,
            "doubled": stored - different,
            "quarantined": quarantined,
            "tasks": tasks,
            "verdict": report.verdict.name,
            "findings": len(report.findings),
        }


def whole(count: int) -> dict[str, Any]:
    """The sum that nothing lost and nothing doubled gives."""
    tasks = -(-count // UNSURE_EVERY)
    clean = {"lost": 0, "doubled": 0, "quarantined": 0, "tasks": tasks, "findings": 0}
    return {"events": count, **clean, "verdict": "VERIFIED"}
