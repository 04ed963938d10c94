"""The witness process: cosigns checkpoints of logs, C2SP tlog-witness over HTTP, and knows no database."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Counter

from reviewsvc import health, telemetry
from reviewsvc.crypto.cosigner import Cosigner, NotCosignedError, log_keys
from reviewsvc.crypto.notes import NoteError
from reviewsvc.domain.signing import SigningError
from reviewsvc.domain.witnessing import MOST_BYTES, PATH, SIZE_MEDIA

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_SECONDS: Final = 10.0
_AT_ONCE: Final = 64
_TEXT: Final = "text/plain; charset=utf-8"
_ANSWERED = Counter("reviewsvc_witness_answers", "Requests to cosign, by the status answered.", ["status"])
_log = telemetry.logger("witness")


class WitnessError(RuntimeError):
    """The witness cannot start; the text says why."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], cosigner: Cosigner) -> None:
        self.cosigner = cosigner
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        # Whoever holds connections open must not take all memory: beyond so many, one is closed at once.
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - socketserver's types
        """Say in a line that a caller left; whatever else is wrong was answered before."""
        _log.info("a caller left", peer=str(client_address))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    server_version = "reviewsvc"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        said = health.answer(health.Health(ready=self._reasons), self.path)
        self._answer(said.status, said.media, said.body)

    def do_POST(self) -> None:
        if self.path != PATH:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"POST {PATH}\n".encode())
            return
        body = self._body()
        if body is not None:
            self._answer(*_cosign(self.server.cosigner, body))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            wrong, why = HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing"
        elif len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
            wrong, why = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes are taken"
        else:
            return self.rfile.read(int(length))
        self.close_connection = True
        self._answer(wrong, _TEXT, f"{why}\n".encode())
        return None

    def _answer(self, status: HTTPStatus, media: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _reasons(self) -> list[str]:
        try:
            self.server.cosigner.tips()
        except SigningError as error:
            return [str(error)]
        return []

    def log_message(self, *_args: object) -> None:
        """Stay silent: what is worth a line is logged where it is judged."""


def _cosign(cosigner: Cosigner, body: bytes) -> tuple[HTTPStatus, str, bytes]:
    """Cosign what a body asks for, and return the answer."""
    status, media = HTTPStatus.OK, _TEXT
    try:
        told = cosigner.add(body)
    except NotCosignedError as refused:
        status, told = refused.status, f"{refused}\n"
        if refused.size is not None:
            media, told = SIZE_MEDIA, f"{refused.size}\n"
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            # What does not extend what was cosigned, though its log signed it, may be the proof of a fork.
            _log.error("not cosigned", status=422, reason=str(refused), request=body.decode(errors="replace"))
        else:
            _log.info("not cosigned", status=int(status), reason=str(refused))
    except SigningError as error:
        status, told = HTTPStatus.INTERNAL_SERVER_ERROR, "the witness cannot use its state\n"
        _log.error("could not cosign", reason=str(error))
    _ANSWERED.labels(int(status)).inc()
    return status, media, told.encode()


@contextmanager
def served(cosigner: Cosigner, host: str, port: int) -> Iterator[int]:
    """Answer over HTTP until the block ends; yield the port. Raises WitnessError if it is taken."""
    try:
        server = _Server((host, port), cosigner)
    except OSError as error:
        raise WitnessError(
            f"Cannot listen on {host}:{port} ({error.strerror}); set REVIEWSVC_PORT."
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="witness", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    cosigner = _cosigner(settings)
    cosigner.tips()
    with served(cosigner, settings.bind, settings.port) as port:
        _log.info("witnessing", port=port, logs=cosigner.origins)
        stop.wait()


def _cosigner(settings: "Settings") -> Cosigner:
    path, keys = Path(settings.witness_logs_file), Path(settings.witness_key_file)
    try:
        logs = log_keys(path.read_text("utf-8"))
    except (NoteError, OSError, UnicodeDecodeError) as fault:
        raise WitnessError(f"{path} has no keys of logs that can be cosigned: {fault}") from fault
    return Cosigner(keys, Path(settings.witness_state_file or f"{keys}.state"), logs)
