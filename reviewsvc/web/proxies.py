"""Believes what trusted proxies say of the client, and nobody else."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Network = IPv4Network | IPv6Network
_CLAIMS: Final[tuple[str, ...]] = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
)


class Proxies:
    """Sets the client's address, the scheme and the host from what a trusted proxy forwarded."""

    def __init__(self, app: "WSGIApplication", trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        said = {name: environ.pop(name) for name in _CLAIMS if name in environ}
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            self._believe(environ, said)
        return self._app(environ, start_response)

    def _believe(self, environ: dict[str, Any], said: dict[str, str]) -> None:
        for hop in reversed(_parts(said.get("HTTP_X_FORWARDED_FOR", ""))):
            environ["REMOTE_ADDR"] = hop
            if not self._is_trusted(hop):
                break
        scheme = _parts(said.get("HTTP_X_FORWARDED_PROTO", ""))
        if scheme and scheme[-1] in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme[-1]
        host = _parts(said.get("HTTP_X_FORWARDED_HOST", ""))
        if host:
            environ["HTTP_HOST"] = host[-1]

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
