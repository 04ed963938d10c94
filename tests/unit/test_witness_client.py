import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from reviewsvc.crypto.cosignatures import picker
from reviewsvc.crypto.cosigner import Cosigner, make_keys
from reviewsvc.crypto.notes import COSIGNATURE, NoteError, Signer
from reviewsvc.domain.anchoring import FORK, REFUSED, UNPROVED, UNREACHABLE, AnchorError, Head, Kept
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.outside.witness import Witness
from reviewsvc.witness import served
from tests.fixtures.tlog_trees import FORKED, HONEST, LOG, Grown

pytestmark = pytest.mark.unit

NAME = "partner.example/w"
OTHER = Signer(NAME, COSIGNATURE, bytes(range(1, 33)))
TEXT = "text/plain; charset=utf-8"


class Told(NamedTuple):
    status: int
    body: bytes
    media: str = TEXT


def head(size: int, tree: Grown = HONEST) -> Head:
    return Head("root/0", LOG.name, size, tree.root(size), tree.note(size), lambda old: tree.proof(old, size))


@contextmanager
def lying(tell: Callable[[bytes], Told]) -> Iterator[tuple[str, list[bytes]]]:
    """A witness that says whatever it is told to; yields its address and what it was asked."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            told = tell(asked[-1])
            self.send_response(told.status)
            self.send_header("Content-Type", told.media)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str, size: int, old: int, *, vkey: str = "", seconds: float = 5.0) -> Kept:
    vkey = vkey or OTHER.verifier().text()
    return Witness("w", url, vkey, picker(vkey), seconds=seconds).keep(head(size), old)


def refused(tell: Callable[[bytes], Told], size: int = 20, old: int = 8) -> tuple[AnchorError, int]:
    with lying(tell) as (url, asked), pytest.raises(AnchorError) as error:
        ask(url, size, old)
    return error.value, len(asked)


def test_a_witness_of_ours_is_brought_along_wherever_it_stands(tmp_path: Path) -> None:
    (key,) = make_keys(tmp_path / "key", NAME, tmp_path / "state")
    cosigner = Cosigner(tmp_path / "key", tmp_path / "state", [LOG.verifier()])
    vkey = key.verifier().text()
    with served(cosigner, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/"
        for size, old in ((5, 0), (20, 5), (30, 5), (40, 0), (40, 40), (64, 50)):
            line = ask(url, size, old, vkey=vkey).cosignature
            assert line is not None
            assert picker(vkey)(head(size).body, line.encode()) == line
        with pytest.raises(AnchorError, match="a fork, or entries were lost") as error:
            ask(url, 30, 30, vkey=vkey)
        assert (error.value.outcome, error.value.known) == (FORK, 64)
        forked = Witness("w", url, vkey, picker(vkey))
        with pytest.raises(AnchorError, match="another history") as error:
            forked.keep(head(64, FORKED), 64)
        assert error.value.outcome == FORK


def test_only_lines_that_hold_on_this_checkpoint_are_kept() -> None:
    body = head(20).body
    good = OTHER.line(body, 1_795_000_000)
    noise = "nonsense\n" + Signer("x", COSIGNATURE, bytes(32)).line(body, 5) + "\u2014 \n"
    with lying(lambda _: Told(200, (noise + good + noise).encode())) as (url, asked):
        assert ask(url, 20, 8) == Kept(cosignature=good)
    assert asked[0] == HONEST.request(8, 20)


OTHERS_BODY = Checkpoint(LOG.name, 20, FORKED.root(20)).text()
LIES: dict[str, tuple[Told, str]] = {
    "nothing": (Told(200, b""), UNPROVED),
    "bytes": (Told(200, bytes(range(256))), UNPROVED),
    "a cosignature of another checkpoint": (Told(200, OTHER.line(OTHERS_BODY, 7).encode()), UNPROVED),
    "a cosignature of a smaller one": (Told(200, OTHER.line(head(19).body, 7).encode()), UNPROVED),
    "our own signature back": (Told(200, HONEST.note(20).encode()), UNPROVED),
    "somebody else's": (
        Told(200, Signer(NAME, COSIGNATURE, bytes(32)).line(head(20).body, 7).encode()),
        UNPROVED,
    ),
    "409 without its type": (Told(409, b"12\n"), UNPROVED),
    "409 without a number": (Told(409, b"twelve\n", "text/x.tlog.size"), UNPROVED),
    "409 with a sign": (Told(409, b"+12\n", "text/x.tlog.size"), UNPROVED),
    "409 beyond us": (Told(409, b"21\n", "text/x.tlog.size"), FORK),
    "409 and a size again and again": (Told(409, b"12\n", "text/x.tlog.size"), UNPROVED),
    "409 and the size that was sent": (Told(409, b"8\n", "text/x.tlog.size"), UNPROVED),
    "422": (Told(422, b"no"), FORK),
    "403": (Told(403, b"no"), REFUSED),
    "404": (Told(404, b"no"), REFUSED),
    "400": (Told(400, b"no"), REFUSED),
    "500": (Told(500, b"oh"), UNREACHABLE),
    "429": (Told(429, b"later"), UNREACHABLE),
    "a redirect": (Told(307, b""), UNREACHABLE),
    "too much": (Told(200, bytes(70_000)), UNREACHABLE),
}


@pytest.mark.parametrize("case", LIES)
def test_a_lying_witness_is_found_out_and_asked_twice_at_most(case: str) -> None:
    told, outcome = LIES[case]
    error, asked = refused(lambda _: told)
    assert error.outcome == outcome
    assert asked == (2 if "409" in case and "size" in case else 1)


def test_one_that_hangs_drips_or_is_not_there_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AnchorError) as error:
            ask(address, 20, 8, seconds=0.2)
        assert error.value.outcome == UNREACHABLE
    with pytest.raises(AnchorError, match="no answer from"):
        ask(address, 20, 8, seconds=0.2)
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "nonsense", "http://[::1"):
        with pytest.raises(AnchorError):
            ask(url, 20, 8)


def test_a_key_that_signs_logs_is_no_witness() -> None:
    keys: Sequence[str] = [LOG.verifier().text(), "nonsense"]
    for vkey in keys:
        with pytest.raises(NoteError):
            picker(vkey)
