"""Activity on its way to a SIEM: sealed entries alone, in order, over real TLS and into a file."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reviewsvc.outside.line_file import LineFile
from reviewsvc.outside.syslog_tls import SyslogTls, Tls
from reviewsvc.usecases.siem import Stream
from tests.fixtures.certificates import Authority
from tests.fixtures.installed import AT, ORIGIN
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)


class Receiver:
    """Takes messages of RFC 5425 and keeps them."""

    def __init__(self, listener: socket.socket, files: tuple[Path, Path]) -> None:
        self.address: tuple[str, int] = listener.getsockname()
        self.taken: list[bytes] = []
        self._listener, self._context = listener, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*files)

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                with suppress(OSError), raw, self._context.wrap_socket(raw, server_side=True) as conn:
                    self._take(conn)

    def _take(self, conn: ssl.SSLSocket) -> None:
        with conn.makefile("rb") as stream:
            while stream.peek(1):
                length = b"".join(iter(lambda: stream.read(1), b" "))
                self.taken.append(stream.read(int(length)))


@contextmanager
def receiving(files: tuple[Path, Path], port: int = 0) -> Iterator[Receiver]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        receiver = Receiver(listener, files)
        thread = threading.Thread(target=receiver.serve, daemon=True)
        thread.start()
        yield receiver
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def acted(held: SealedBank, login: str) -> None:
    held.bank.person(login)
    held.seal()


def uids(texts: list[bytes]) -> list[str]:
    return [json.loads(text)["metadata"]["uid"] for text in texts]


def wait_for(receiver: Receiver, count: int) -> list[bytes]:
    for _ in range(200):
        if len(receiver.taken) >= count:
            break
        threading.Event().wait(0.02)
    return [each.split(b" - ", 2)[2] for each in receiver.taken]


def test_sealed_activity_reaches_a_syslog_receiver_over_tls_once_and_in_order(
    signed: SealedBank, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    acted(signed, "anna")
    signed.bank.person("not-sealed")
    with receiving(authority.issue("siem")) as receiver:
        sink = SyslogTls(receiver.address, Tls(str(authority.file)), ORIGIN)
        sent = Stream(signed.sessions, [sink]).step(AT)
        texts = wait_for(receiver, sent)
        assert Stream(signed.sessions, [sink]).step(AT) == 0
        sink.close()
    assert len(texts) == len(set(uids(texts))) == sent
    sealed = {name: log.size for name, log in signed.logs().items() if name.startswith("activity/")}
    expected = [f"{ORIGIN}/{name}#{seq}" for name, size in sorted(sealed.items()) for seq in range(size)]
    assert sorted(uids(texts)) == sorted(expected)
    assert receiver.taken[0].startswith(f"<110>1 2026-11-21T09:00:30.000000Z {ORIGIN} reviewsvc - ".encode())
    everything = b"".join(texts)
    assert b"Anna" not in everything
    assert b"anna" not in everything


def test_a_receiver_that_is_away_is_waited_for_and_the_file_goes_on(
    signed: SealedBank, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("siem")
    acted(signed, "anna")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address: tuple[str, int] = taken.getsockname()
    sink, file = SyslogTls(address, Tls(str(authority.file)), ORIGIN), LineFile(tmp_path / "siem.jsonl")
    stream = Stream(signed.sessions, [sink, file])
    assert stream.step(AT) == len(lines(tmp_path))
    with receiving(files, address[1]) as receiver:
        assert stream.step(AT + SECOND / 2) == 0
        assert stream.step(AT + SECOND) == len(lines(tmp_path))
        told = lines(tmp_path)
        assert uids(wait_for(receiver, len(told))) == [each["metadata"]["uid"] for each in told]
        sink.close()


def test_a_receiver_whose_certificate_does_not_hold_gets_nothing(signed: SealedBank, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    acted(signed, "anna")
    with receiving(Authority(tmp_path / "other").issue("siem")) as receiver:
        sink = SyslogTls(receiver.address, Tls(str(Authority(tmp_path).file)), ORIGIN)
        assert Stream(signed.sessions, [sink]).step(AT) == 0
        assert receiver.taken == []


def test_a_line_that_was_cut_off_spoils_no_other(signed: SealedBank, tmp_path: Path) -> None:
    acted(signed, "anna")
    (tmp_path / "siem.jsonl").write_bytes(b'{"half')
    sent = Stream(signed.sessions, [LineFile(tmp_path / "siem.jsonl")]).step(AT)
    whole = (tmp_path / "siem.jsonl").read_bytes().split(b"\n")
    assert (whole[0], whole[-1], len(whole)) == (b'{"half', b"", sent + 2)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "siem.jsonl").read_bytes().splitlines()]
