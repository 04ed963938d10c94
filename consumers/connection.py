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


class _Attempts(logging.Handler):
    """Overhears why connecting failed: kafka-python says it to its log alone."""

    _LOG = logging.getLogger("kafka.net.manager")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        # The last attempt is cut by the deadline and says only that; the first tells the reason.
        if "connection to" in record.msg and not self.first:
            self.first = record.getMessage()

    def __enter__(self) -> None:
        self._LOG.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._LOG.removeHandler(self)
