"""Makes a Kafka client meet a broker, or says why none let it in and leaves nothing behind."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from consumers.security import options
from consumers.settings import KafkaSettings

BOOTSTRAP_MS = 15_000

Client = TypeVar("Client")


class UnreachableError(KafkaError):  # type: ignore[misc]  # kafka-python ships no types
    """No broker let us in within 15 s; the text says which addresses were tried and what was answered."""

    def __str__(self) -> str:
        """Return the text alone; kafka-python's errors put their name before it."""
        return str(self.args[0])


def connected(
    make: Callable[..., Client], settings: KafkaSettings, request_ms: int, **more: object
) -> Client:
    """Make a client that has met a broker; one that has not is closed, with its thread, before it raises."""
    begun: list[KafkaNetClient] = []

    def begin(**configs: Any) -> KafkaNetClient:  # noqa: ANN401 - passed through
        begun.append(KafkaNetClient(**configs))
        return begun[-1]

    attempts = _Attempts()
    try:
        with attempts:
            return make(
                **options(settings),
                **more,
                bootstrap_servers=list(settings.bootstrap_servers),
                request_timeout_ms=request_ms,
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=1000,
                kafka_client=begin,
            )
    except BaseException as error:
        for client in begun:
            client.close()
        if not isinstance(error, KafkaTimeoutError):
            raise
        addresses = ", ".join(settings.bootstrap_servers)
        raise UnreachableError(
            f"No Kafka broker at {addresses} let us in ({attempts.first or error}): check that it is up, and "
            "KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and KAFKA_SSL_*."
        ) from error


class _Attempts(logging.Filter):
    """Overhears why connecting failed: kafka-python says it to its log alone.

    It turns errors into words on the way: kafka-python drops refused sockets open, and errors hold them.
    """

    _LOGS = tuple(logging.getLogger(f"kafka.net.{room}") for room in ("connection", "manager", "transport"))
    _CUT = "socket disconnected"

    def __init__(self) -> None:
        super().__init__()
        self.first = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args, wanted = record.getMessage(), (), "connection to" in record.msg
        # The last attempt is cut by the deadline and says only that; one whose answer and end came together
        # says "socket disconnected" alone: the first that tells more is the reason.
        if wanted and (not self.first or self._CUT in self.first) and record.levelno >= logging.WARNING:
            self.first = record.msg
        return True

    def __enter__(self) -> None:
        for log in self._LOGS:
            log.addFilter(self)

    def __exit__(self, *_: object) -> None:
        for log in self._LOGS:
            log.removeFilter(self)
