"""Health of the processes that serve no pages: /healthz, /readyz and /metrics on a port of their own."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from reviewsvc import telemetry
from reviewsvc.listening import BoundedServer, QuietHandler, answering

Reasons = Callable[[], Sequence[str]]

REQUEST_SECONDS: Final = 5
JSON: Final = "application/json"
_log = telemetry.logger("health")


class PortTakenError(Exception):
    """The health server's address cannot be listened on."""


def fine() -> Sequence[str]:
    """Return no reason: always alive, always ready."""
    return ()


@dataclass(frozen=True, slots=True)
class Health:
    """What a process says of itself: functions that return the reasons why it is not ready, or not alive.

    They are called from the health server's thread, once a request, and must be quick. Remarks are for people
    and make nothing unready.
    """

    ready: Reasons = fine
    alive: Reasons = fine
    remarks: Reasons = fine


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one path."""

    status: HTTPStatus
    body: bytes
    media: str


def answer(health: Health, path: str) -> Answer:
    """Answer a path: 200 where all is well, 503 with the reasons where it is not, 404 for other paths."""
    match path.partition("?")[0]:
        case "/healthz":
            return _judged("alive", health.alive())
        case "/readyz":
            return _judged("ready", health.ready(), health.remarks())
        case "/metrics":
            return Answer(HTTPStatus.OK, *telemetry.exposition())
        case _:
            return Answer(HTTPStatus.NOT_FOUND, b'{"paths":["/healthz","/readyz","/metrics"]}', JSON)


def _judged(name: str, reasons: Sequence[str], remarks: Sequence[str] = ()) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    told: dict[str, object] = {name: not reasons, "reasons": list(reasons)}
    if remarks:
        told["remarks"] = list(remarks)
    return Answer(status, json.dumps(told).encode(), JSON)


@contextmanager
def served(health: Health, *, host: str, port: int) -> Iterator[int]:
    """Serve a process's health from a daemon thread while the block runs; yield the port listened on.

    Port 0 takes a free one. Raises PortTakenError if the address cannot be listened on.
    """
    try:
        server = BoundedServer((host, port), _handler(health))
    except OSError as error:
        raise PortTakenError(
            f"Cannot listen on {host}:{port} ({error.strerror}); set REVIEWSVC_HEALTH_PORT to a free port."
        ) from error
    _log.info("health served", host=host, port=server.server_address[1])
    with answering(server, "health"):
        yield server.server_address[1]


def _handler(health: Health) -> type[QuietHandler]:
    class Handler(QuietHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            said = answer(health, self.path)
            self.send_response(said.status)
            self.send_header("Content-Type", said.media)
            self.send_header("Content-Length", str(len(said.body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(said.body)

    return Handler
