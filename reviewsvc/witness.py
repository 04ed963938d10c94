"""The witness process: cosigns checkpoints of logs, C2SP tlog-witness over HTTP, and knows no database."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

from reviewsvc import health, telemetry
from reviewsvc.crypto.cosigner import Cosigner, NotCosignedError, log_keys
from reviewsvc.crypto.notes import NoteError, Verifier
from reviewsvc.domain.signing import SigningError
from reviewsvc.domain.witnessing import MOST_BYTES, PATH, SIZE_MEDIA
from reviewsvc.listening import BoundedServer, QuietHandler, answering

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_TEXT: Final = "text/plain; charset=utf-8"
_ANSWERED = Counter("reviewsvc_witness_answers", "Requests to cosign, by the status answered.", ["status"])
_log = telemetry.logger("witness")


class WitnessError(RuntimeError):
    """The witness cannot start; the text says why."""


class KnownLogs:
    """The logs that are cosigned, as their file says: read again when it changes, or when told to."""

    def __init__(self, path: Path, cosigner: Cosigner) -> None:
        self._path, self._cosigner = path, cosigner
        self._seen = _stamp(path)
        self._lock = threading.Lock()
        self.fault = ""

    def look(self, *, again: bool = False) -> None:
        """Read the file if it is another than before; one with a fault is told, and changes nothing."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp == self._seen and not again:
                return
            self._seen = stamp
            try:
                self._cosigner.know(read_logs(self._path))
            except WitnessError as fault:
                self.fault = f"{fault}; the keys that were read before still hold"
                _log.error("the logs are not read again", reason=self.fault)
            else:
                self.fault = ""
                _log.info("the logs are read again", logs=self._cosigner.origins)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _Server(BoundedServer):
    def __init__(self, address: tuple[str, int], cosigner: Cosigner, known: KnownLogs | None) -> None:
        self.cosigner, self.known = cosigner, known
        super().__init__(address, _Handler)


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        said = health.answer(health.Health(ready=self._reasons, remarks=self._remarks), self.path)
        self._answer(said.status, said.media, said.body)

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        if self.path != PATH:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"POST {PATH}\n".encode())
            return
        body = self._body()
        if body is not None:
            self._look()
            self._answer(*_cosign(self.server.cosigner, body))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get_all("Content-Length", [])[1:] or "Transfer-Encoding" in self.headers:
            wrong, why = HTTPStatus.LENGTH_REQUIRED, "one Content-Length is due, and no Transfer-Encoding"
        elif not (length.isascii() and length.isdigit()):
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

    def _remarks(self) -> list[str]:
        self._look()
        return [self.server.known.fault] if self.server.known and self.server.known.fault else []

    def _look(self) -> None:
        if self.server.known:
            self.server.known.look()


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
    except Exception as error:  # noqa: BLE001 - whoever asks is answered, whatever nobody thought of
        status, told = HTTPStatus.INTERNAL_SERVER_ERROR, "the witness is in trouble\n"
        _log.exception("could not cosign", kind=type(error).__name__)
    _ANSWERED.labels(int(status)).inc()
    return status, media, told.encode()


@contextmanager
def served(cosigner: Cosigner, host: str, port: int, known: KnownLogs | None = None) -> Iterator[int]:
    """Answer over HTTP until the block ends; yield the port. Raises WitnessError if it is taken."""
    try:
        server = _Server((host, port), cosigner, known)
    except OSError as error:
        raise WitnessError(
            f"Cannot listen on {host}:{port} ({error.strerror}); set REVIEWSVC_PORT."
        ) from error
    with answering(server, "witness"):
        yield server.server_address[1]


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    path, keys = Path(settings.witness_logs_file), Path(settings.witness_key_file)
    cosigner = Cosigner(keys, Path(settings.witness_state_file or f"{keys}.state"), read_logs(path))
    cosigner.tips()
    known = KnownLogs(path, cosigner)
    signal.signal(signal.SIGHUP, lambda *_: known.look(again=True))
    with served(cosigner, settings.bind, settings.port, known) as port:
        _log.info("witnessing", port=port, logs=cosigner.origins)
        stop.wait()


def read_logs(path: Path) -> list[Verifier]:
    """Read the verifier keys of the logs that are cosigned. Raises WitnessError."""
    try:
        return log_keys(path.read_text("utf-8"))
    except (NoteError, OSError, UnicodeDecodeError) as fault:
        raise WitnessError(f"{path} has no keys of logs that can be cosigned: {fault}") from fault
