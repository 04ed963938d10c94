"""The signer process: signs checkpoints for whoever may open its socket, and knows no database."""

import signal
import socket
import socketserver
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from reviewsvc import health, telemetry
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.domain.signing import Asked, SigningError, SignsCheckpoints, Told
from reviewsvc.listening import answering

if TYPE_CHECKING:
    from reviewsvc.config import Settings

_SECONDS: Final = 30.0
_LONGEST_LINE: Final = 16_000_000
_GROUP_MAY_CONNECT: Final = 0o660
_log = telemetry.logger("signer")
_decode: Final = msgspec.json.Decoder(Asked).decode


class SocketError(RuntimeError):
    """The signer cannot listen on its socket; the text says why."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: Path, signer: SignsCheckpoints) -> None:
        self.signer = signer
        super().__init__(str(path), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    timeout = _SECONDS

    def handle(self) -> None:
        """Answer line by line until the other side has no more."""
        assert isinstance(self.server, _Server)
        try:
            while line := self.rfile.readline(_LONGEST_LINE):
                told = answer(self.server.signer, line)
                self.wfile.write(msgspec.json.encode(told) + b"\n")
        except OSError as error:
            _log.info("a caller left", reason=str(error))


def answer(signer: SignsCheckpoints, line: bytes) -> Told:
    """Answer one line; whatever is wrong with it is said in the answer."""
    try:
        asked = _decode(line)
        tips = signer.everything() if asked.everything else signer.tips(asked.tips) if asked.tips else []
        answers = signer.sign(asked.wanted, asked.keys) if asked.wanted else []
    except (msgspec.DecodeError, SigningError) as error:
        _log.error("could not sign", reason=str(error))
        return Told(error=str(error))
    for wanted, each in zip(asked.wanted, answers, strict=True):
        if each.refused:
            _log.error("refused", origin=wanted.origin, code=each.refused, reason=each.why)
    return Told(tips=tips, answers=answers)


def reasons(signer: SignsCheckpoints) -> list[str]:
    """Why it cannot sign now: its memory is missing, damaged or another house's; nothing if it can."""
    try:
        signer.tips([])
    except SigningError as error:
        return [str(error)]
    return []


@contextmanager
def served(signer: SignsCheckpoints, path: Path) -> Iterator[None]:
    """Answer on a Unix socket, which its owner and group may open, until the block ends."""
    _clear(path)
    try:
        server = _Server(path, signer)
    except OSError as error:
        raise SocketError(f"cannot listen on {path}: {error}") from error
    path.chmod(_GROUP_MAY_CONNECT)
    try:
        with answering(server, "signer"):
            yield
    finally:
        path.unlink(missing_ok=True)


def main(settings: "Settings") -> None:
    """Run the process until SIGTERM or SIGINT, serving its health beside it."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    keys = Path(settings.signing_key_file)
    signer = LogSigner(keys, Path(settings.signer_state_file or f"{keys}.state"))
    signer.tips([])
    with (
        served(signer, Path(settings.signer_socket)),
        health.served(
            health.Health(ready=lambda: reasons(signer)), host=settings.bind, port=settings.health_port
        ),
    ):
        _log.info("signing", socket=settings.signer_socket)
        stop.wait()


def _clear(path: Path) -> None:
    """Remove the socket of a signer that is gone; one that answers is left, and refused."""
    try:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise SocketError(f"{path} is no socket: name another place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SocketError(f"another signer answers at {path}: stop it first")
