"""Events that flow at a steady rate while things break, and the sum at the end."""

import itertools
import json
import threading
import time
from typing import Any

from consumers import broker
from tests.fixtures.capturing import PATIENCE_SECONDS, Capturing, event
from tests.fixtures.processes import eventually

UNSURE = {"label": "refuse", "confidence": 0.55}
UNSURE_EVERY = 20


class Flow(threading.Thread):
    """Sends numbered events at one rate, a twentieth of them for people, over partitions in turn.

    So many within so many seconds at least; then on until `finish` is called.
    """

    def __init__(self, capturing: Capturing, count: int, seconds: float, partitions: int = 3) -> None:
        super().__init__(name="flow", daemon=True)
        self.capturing, self.count, self.seconds, self.partitions = capturing, count, seconds, partitions
        self.sent = 0
        self.took = 0.0
        self._enough = threading.Event()

    def finish(self) -> None:
        """Send what is left of the least that was to be sent, and wait for that."""
        self._enough.set()
        self.join()

    def run(self) -> None:
        producer = broker.producer(self.capturing.kafka, client_id="flow")
        began = time.monotonic()
        for number in itertools.takewhile(
            lambda n: n < self.count or not self._enough.is_set(), itertools.count()
        ):
            more: dict[str, Any] = {} if number % UNSURE_EVERY else {"output": UNSURE}
            data = json.dumps(event(number, **more)).encode()
            producer.send(self.capturing.topic, data, partition=number % self.partitions)
            self.sent = number + 1
            ahead = began + self.seconds * number / self.count - time.monotonic()
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
