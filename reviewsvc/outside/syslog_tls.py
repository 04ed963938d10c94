"""Sends events to a syslog receiver over TLS: RFC 5424 messages in the framing of RFC 5425."""

import contextlib
import socket
import ssl
from collections.abc import Sequence
from typing import Final, NamedTuple

from reviewsvc.domain.moments import moment
from reviewsvc.domain.ocsf import Event

# RFC 5424, 6.2.1: facility 13 is the audit log; severities 6 informational and 4 warning.
_AUDIT, _INFORMATIONAL, _WARNING = 13 * 8, 6, 4
_SECONDS: Final = 10.0
_LONGEST_ID: Final = 32


class Tls(NamedTuple):
    """Files in PEM: whom to believe (else the system's), and who one is oneself (else nobody)."""

    cafile: str = ""
    certfile: str = ""
    keyfile: str = ""


class SyslogTls:
    """A connection that is kept; one that broke is made again at the next batch.

    Syslog knows no answer: what was on its way when a connection broke without a word may be lost.
    """

    name = "syslog"

    def __init__(self, address: tuple[str, int], tls: Tls, origin: str) -> None:
        self._address, self._tls, self._origin = address, tls, origin
        self._socket: ssl.SSLSocket | None = None

    def send(self, events: Sequence[Event]) -> None:
        """Send the events. Raises OSError, of which a certificate that does not hold is one."""
        data = b"".join(framed(message(each, self._origin)) for each in events)
        connected = self._alive() or self._connect()
        try:
            connected.sendall(data)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self._tls.cafile or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._tls.certfile:
            context.load_cert_chain(self._tls.certfile, self._tls.keyfile or None)
        raw = socket.create_connection(self._address, timeout=_SECONDS)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=self._address[0])
        except BaseException:
            raw.close()
            raise
        return self._socket

    def _alive(self) -> ssl.SSLSocket | None:
        """The connection, unless the receiver has closed it meanwhile: a receiver says nothing else."""
        if self._socket is None:
            return None
        try:
            self._socket.settimeout(0)
            if self._socket.recv(1) == b"":
                self.close()
        except (ssl.SSLWantReadError, BlockingIOError):
            self._socket.settimeout(_SECONDS)
        except OSError:
            self.close()
        return self._socket


def message(event: Event, origin: str) -> bytes:
    """Write a message of RFC 5424, its text the event in JSON."""
    priority = _AUDIT + (_WARNING if event.is_failure else _INFORMATIONAL)
    at = moment(event.at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (
        f"<{priority}>1 {at} {origin[:255]} reviewsvc - {event.kind[:_LONGEST_ID]} - ".encode() + event.text
    )


def framed(data: bytes) -> bytes:
    """Put a message behind its length: RFC 5425, 4.3."""
    return b"%d " % len(data) + data
