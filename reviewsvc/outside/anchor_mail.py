"""A mailbox as an anchor, for a small shop: checkpoints by mail to somebody outside."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

from reviewsvc.domain.anchoring import BROKEN, MAIL, REFUSED, UNREACHABLE, AnchorError, Head, Kept

_SECONDS: Final = 10.0
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_NO_ADDRESS: Final = (
    "REVIEWSVC_SMTP_URL is no smtp://, smtp+starttls:// or smtps:// address; in its password every character "
    "but letters and digits is written as %XX"
)
_IN_CLEAR: Final = (
    "REVIEWSVC_SMTP_URL would send a password in clear: begin it with smtp+starttls:// or smtps://"
)
_TEXT: Final = """{note}
This is the signed checkpoint of {origin}. Keep this mail: whoever rewrites that log
later cannot make it lead to what stands here. Nothing needs to be done with it until somebody asks.
"""


class AnchorMail:
    """Sends checkpoints by SMTP; the URL is smtp://, smtp+starttls:// or smtps://[USER:PASSWORD@]HOST[:PORT]."""

    kind = MAIL
    vkey = None

    def __init__(self, url: str, sender: str, to: str, *, every_s: int = 3_600) -> None:
        self._url, self._sender, self._to = urlsplit(url), sender, to
        self.name, self.place, self.every_s = MAIL, to, every_s

    def keep(self, head: Head, old: int) -> Kept:  # noqa: ARG002 - a mailbox needs no proof
        """Send a checkpoint; it is kept once the server took it. Raises AnchorError."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, self._to
        mail["Subject"] = f"Checkpoint of {head.origin}: {head.size} entries"
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        mail.set_content(_TEXT.format(note=head.note, origin=head.origin), charset="utf-8", cte="8bit")
        try:
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPResponseException as fault:
            raise AnchorError(REFUSED, f"the mail server answered {fault.smtp_code}") from fault
        except (OSError, smtplib.SMTPException) as fault:
            raise AnchorError(
                UNREACHABLE, f"no mail could be sent: {fault or type(fault).__name__}"
            ) from fault
        return Kept()

    def newest(self, log: str, old: int) -> None:
        """Show nothing: nobody reads the mailbox for us."""

    def _connected(self) -> smtplib.SMTP:
        scheme, (host, port), trust = self._url.scheme, self._place(), ssl.create_default_context()
        server = (
            smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=trust)
            if scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=_SECONDS)
        )
        try:
            if scheme == "smtp+starttls":
                server.starttls(context=trust)
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except BaseException:
            server.close()
            raise
        return server

    def _place(self) -> tuple[str, int]:
        """Return the server's host and port. Raises AnchorError, whose text holds nothing of the URL."""
        scheme, host = self._url.scheme, self._url.hostname
        try:
            port = self._url.port or _PORTS[scheme]
        except (KeyError, ValueError):
            host = None
        if not host:
            raise AnchorError(BROKEN, _NO_ADDRESS)
        if scheme == "smtp" and self._url.username:
            raise AnchorError(BROKEN, _IN_CLEAR)
        return host, port
