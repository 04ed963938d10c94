"""Small servers of our own, for few callers: bounded in connections, and in the time of a request."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any, Final, TypeAlias

from reviewsvc import telemetry

_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05
_log = telemetry.logger("listening")

Request: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class QuietHandler(BaseHTTPRequestHandler):
    """Answers one caller; says nothing of itself, and logs nothing but what its server judges."""

    timeout = _SECONDS
    server_version = "reviewsvc"
    sys_version = ""
    server: "BoundedServer"

    def handle_one_request(self) -> None:
        """Answer a request, whose whole time counts: what drips keeps a place no longer than what hangs."""
        with self.server.timed(self.connection):
            super().handle_one_request()

    def log_message(self, *_args: object) -> None:
        """Stay silent: a probe each few seconds is no event."""


class BoundedServer(ThreadingHTTPServer):
    """A thread a connection, up to so many; what comes beyond is closed at once."""

    daemon_threads = True
    request_queue_size = 128
    at_once = 64
    seconds = 30.0

    def __init__(self, address: tuple[str, int], handler: type[QuietHandler]) -> None:
        self._free = threading.BoundedSemaphore(self.at_once)
        self._since: dict[socket.socket, float] = {}
        super().__init__(address, handler)

    @contextmanager
    def timed(self, connection: socket.socket) -> Iterator[None]:
        """Count the time of a request until it is answered."""
        self._since[connection] = time.monotonic()
        try:
            yield
        finally:
            self._since.pop(connection, None)

    def service_actions(self) -> None:
        """Close the connections whose requests take too long; asked several times a second."""
        before = time.monotonic() - self.seconds
        for connection, since in list(self._since.items()):
            if since < before:
                # The thread that reads it comes to its end: it may not close under its feet.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        """Answer in a thread of its own, if there is one left."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Request, client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        """Give the place back, whatever came of it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - socketserver's types
        """Say in a line that a caller left; whatever else is wrong was answered before."""
        _log.info("a caller left", peer=str(client_address))


@contextmanager
def answering(server: BaseServer, name: str) -> Iterator[None]:
    """Let a server answer from a daemon thread while the block runs; it is closed at its end."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
