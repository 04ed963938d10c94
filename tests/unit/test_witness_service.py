"""The witness as a service: callers that mean no good, and logs that come and go."""

import http.client
import json
import socket
import time
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from reviewsvc.listening import BoundedServer
from reviewsvc.witness import KnownLogs, served
from tests.fixtures.tlog_trees import HONEST, LOG, Grown
from tests.unit.test_witness import STRANGER, cosigner, post

pytestmark = pytest.mark.unit


def test_whoever_drips_or_breaks_off_or_sends_nonsense_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BoundedServer, "seconds", 0.5)
    monkeypatch.setattr(BoundedServer, "at_once", 8)
    with served(cosigner(tmp_path), "127.0.0.1", 0) as port, ExitStack() as calls:

        def call(sent: bytes) -> socket.socket:
            made = calls.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            made.sendall(sent)
            return made

        head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
        hanging = [
            call(sent) for sent in (b"", b"POST /add", head, head + b"Content-Length: 99\r\n\r\nold 0\n")
        ]
        for wrong, status in (
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b""),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
            (head + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nold", b"411"),
            (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nold", b"411"),
            (head + b"Content-Length: -3\r\n\r\n", b"411"),
            (b"PUT /add-checkpoint HTTP/1.1\r\n\r\n", b"501"),
        ):
            made = call(wrong)
            assert status in made.recv(200).partition(b"\r\n")[0]
            made.close()
        dripping = call(head)
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 5:
                dripping.sendall(b"X")
                time.sleep(0.05)
        assert time.monotonic() - began < 5, "it is not read for ever"
        assert all(each.recv(99) == b"" for each in hanging)
        assert post(port, HONEST.request(0, 3)).status == HTTPStatus.OK
    assert "Traceback" not in capfd.readouterr().err


def test_the_logs_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "logs.txt"
    path.write_text(LOG.verifier().text())
    held = cosigner(tmp_path)
    known = KnownLogs(path, held)
    other = Grown(log=STRANGER)
    with served(held, "127.0.0.1", 0, known) as port:
        assert post(port, other.request(0, 3)).status == HTTPStatus.NOT_FOUND
        path.write_text(f"{LOG.verifier().text()}\n{STRANGER.verifier().text()}\n")
        assert post(port, other.request(0, 3)).status == HTTPStatus.OK
        for wrong in ("nonsense", "", None):
            if wrong is None:
                path.unlink()
            else:
                path.write_text(wrong)
            assert post(port, other.request(3, 3)).status == HTTPStatus.OK
            told = json.loads(get(port, "/readyz"))
            assert (told["ready"], "still hold" in told["remarks"][0]) == (True, True)
        path.write_text(LOG.verifier().text())
        assert post(port, other.request(3, 20)).status == HTTPStatus.NOT_FOUND
        assert "remarks" not in json.loads(get(port, "/readyz"))


def get(port: int, path: str) -> bytes:
    called = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    called.request("GET", path)
    body = called.getresponse().read()
    called.close()
    return body
