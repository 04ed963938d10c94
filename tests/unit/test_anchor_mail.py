"""Mails by TLS and with a log-in, to a server that speaks both."""

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from reviewsvc.domain.anchoring import BROKEN, REFUSED, UNREACHABLE, AnchorError, Head, Kept
from reviewsvc.outside.anchor_mail import AnchorMail
from tests.fixtures.certificates import Authority
from tests.fixtures.tlog_trees import HONEST, LOG

pytestmark = pytest.mark.unit

SAID = b64encode(b"\0log@house\0p/w:d").decode()


class Mail:
    """A mail server: what it was told in clear, and what over TLS."""

    def __init__(self, files: tuple[Path, Path], *, at_once: bool) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(*files)
        self.at_once = at_once
        self.clear: list[str] = []
        self.secret: list[str] = []
        self.offers = "STARTTLS"

    def serve(self, listening: socket.socket) -> None:
        """Answer one caller, who may leave at any time."""
        caller, _ = listening.accept()
        caller.settimeout(5)
        with suppress(OSError), caller:
            if self.at_once or self.talk(caller, self.clear) == "STARTTLS":
                with self.context.wrap_socket(caller, server_side=True) as hidden:
                    self.talk(hidden, self.secret, hello=self.at_once)

    def talk(self, caller: socket.socket, said: list[str], *, hello: bool = True) -> str:
        """Answer line by line until the caller leaves or wants TLS."""
        with caller.makefile("rw", newline="") as lines:
            if hello:
                print("220 mail.example", file=lines, end="\r\n", flush=True)
            is_mail = False
            for line in lines:
                said.append(line.strip())
                word = line.split()[0].upper() if line.strip() else ""
                if is_mail and line != ".\r\n":
                    continue
                is_mail = word == "DATA"
                print(self.answer(word, line, said), file=lines, end="\r\n", flush=True)
                if word in {"STARTTLS", "QUIT"}:
                    return word
        return ""

    def answer(self, word: str, line: str, said: list[str]) -> str:
        """Say what a line is answered."""
        if word == "EHLO":
            return f"250-mail.example\r\n250 {'AUTH PLAIN' if said is self.secret else self.offers}"
        if word == "AUTH":
            return "235 welcome" if line.split()[2] == SAID else "535 no"
        return {"DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 go on"}.get(word, "250 ok")


def head() -> Head:
    return Head("root/0", LOG.name, 20, HONEST.root(20), HONEST.note(20), lambda _: [])


@contextmanager
def serving(folder: Path, *, at_once: bool = False, offers: str = "STARTTLS") -> Iterator[tuple[Mail, str]]:
    mail = Mail(Authority(folder).issue("mail"), at_once=at_once)
    mail.offers = offers
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=mail.serve, args=(listening,), daemon=True)
        thread.start()
        yield mail, f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(5)


def keep(url: str) -> Kept:
    return AnchorMail(url, "log@house.example", "keeper@far.example").keep(head(), 0)


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_log_in_and_mail_go_over_tls_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(tmp_path, at_once=scheme == "smtps") as (mail, place):
        assert keep(f"{scheme}://log%40house:p%2Fw%3Ad@{place}") == Kept()
    assert f"AUTH PLAIN {SAID}" in mail.secret
    assert HONEST.note(20).strip() in "\n".join(mail.secret)
    assert [line.split()[0].upper() for line in mail.clear] in (["EHLO", "STARTTLS"], [])


@pytest.mark.parametrize(
    ("trusted", "password", "offers"),
    [
        ("ca.pem", "wrong", "STARTTLS"),
        ("none.pem", "p%2Fw%3Ad", "STARTTLS"),
        ("ca.pem", "p%2Fw%3Ad", "SIZE 9"),
    ],
    ids=["a wrong password", "a stranger", "no TLS"],
)
def test_who_should_not_have_it_gets_no_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, password: str, offers: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / trusted))
    with serving(tmp_path, offers=offers) as (mail, place), pytest.raises(AnchorError) as error:
        keep(f"smtp+starttls://log%40house:{password}@{place}")
    assert error.value.outcome == (REFUSED if password == "wrong" else UNREACHABLE)
    assert "wrong" not in str(error.value)
    assert not [line for line in mail.clear if line.startswith("AUTH")]
    assert not [line for line in (*mail.clear, *mail.secret) if line.upper().startswith("MAIL")]


@pytest.mark.parametrize(
    "url", ["smtp://log:secret@127.0.0.1:9", "smtps://log:sec/ret@mail.example", "smtps://"]
)
def test_an_address_that_would_show_its_password_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(AnchorError, match="REVIEWSVC_SMTP_URL") as error:
        keep(url)
    assert error.value.outcome == BROKEN
    assert "sec" not in str(error.value)
