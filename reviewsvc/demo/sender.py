"""Sends the model's answers to Kafka one by one, at a set rate, as the system that runs a model would."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from consumers import broker
from consumers.settings import from_settings
from reviewsvc.demo.stream import Application

if TYPE_CHECKING:
    from reviewsvc.config import Kafka

FLUSH_SECONDS = 60


class Sender:
    """Sends in a thread of its own while its block lasts; `sent` maps prediction ids to their applications.

    `rate` is in events a second; `run` makes the ids of this run differ from those of every other.
    """

    def __init__(self, kafka: "Kafka", applications: Sequence[Application], *, rate: float, run: str) -> None:
        self.topic = kafka.prediction_topics[0]
        self.sent: dict[str, Application] = {}
        self.failure: Exception | None = None
        self._applications = applications
        self._rate = rate
        self._run = run
        self._producer = broker.producer(from_settings(kafka), client_id="reviewsvc-demo")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="sender", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(FLUSH_SECONDS)
        self._producer.close(timeout=5)

    @property
    def total(self) -> int:
        """How many events there are to send."""
        return len(self._applications)

    @property
    def is_done(self) -> bool:
        """Whether everything was sent and acknowledged, or sending failed."""
        return not self._thread.is_alive()

    def _send_all(self) -> None:
        try:
            waiting = list(self._each())
            self._producer.flush(timeout=FLUSH_SECONDS)
            for acknowledged in waiting:
                acknowledged.get(timeout=FLUSH_SECONDS)
        except Exception as error:  # noqa: BLE001 - kept for whoever waits for this thread
            self.failure = error

    def _each(self) -> "list[Any]":
        began = time.monotonic()
        waiting = []
        for count, application in enumerate(self._applications):
            if self._ended.wait(max(0.0, began + count / self._rate - time.monotonic())):
                break
            waiting.append(self._send(f"loan-{self._run}-{count + 1:04}", application))
        return waiting

    def _send(self, prediction_id: str, application: Application) -> Any:  # noqa: ANN401 - kafka-python ships no types
        event = application.event(prediction_id=prediction_id, predicted_at=datetime.now(UTC))
        value = json.dumps(event, ensure_ascii=False).encode()
        acknowledged = self._producer.send(self.topic, value=value, key=application.number.encode())
        self.sent[prediction_id] = application
        return acknowledged


def run_name(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Return a name for a run that no other run has, to the second."""
    return now().strftime("%Y%m%dT%H%M%S")
