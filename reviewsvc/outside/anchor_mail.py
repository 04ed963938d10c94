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

    def _connected(self) -> smtplib.SMTP:
        scheme, host = self._url.scheme, self._url.hostname or ""
        if scheme not in _PORTS or not host:
            raise AnchorError(
                BROKEN, "REVIEWSVC_SMTP_URL is no smtp://, smtp+starttls:// or smtps:// address"
            )
        port, trust = self._url.port or _PORTS[scheme], ssl.create_default_context()
        server = (
            smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=trust)
            if scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=_SECONDS)
        )
        if scheme == "smtp+starttls":
            server.starttls(context=trust)
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server
