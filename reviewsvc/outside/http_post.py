"""Posts a few bytes to somebody else's server, and reads a bounded answer within a bounded time."""

import http.client
import time
from typing import Final, NamedTuple, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

_AT_ONCE: Final = 4_096
MOST_BYTES: Final = 65_536


class UnreachableError(OSError):
    """Nobody answered, or not in time, or too much; the text says why."""


class Answered(NamedTuple):
    """An answer, of whatever status."""

    status: int
    media: str
    body: bytes


class _Stays(HTTPRedirectHandler):
    """Follows no redirect: what is posted is for the one who was named."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


_open: Final = build_opener(_Stays).open


def post(url: str, body: bytes, media: str, *, seconds: float) -> Answered:
    """Post bytes to a URL (http or https, through a proxy where the environment names one).

    Raises UnreachableError if there is no whole answer within the seconds, or one beyond 64 KiB.
    """
    until = time.monotonic() + seconds
    try:
        with _opened(url, body, media, seconds) as answer:
            return Answered(answer.status or 0, answer.headers.get("Content-Type", ""), _read(answer, until))
    except (OSError, http.client.HTTPException, ValueError) as fault:
        why = fault.reason if isinstance(fault, URLError) and not isinstance(fault, HTTPError) else fault
        raise UnreachableError(f"no answer from {url}: {str(why) or type(why).__name__}") from fault


def _opened(url: str, body: bytes, media: str, seconds: float) -> http.client.HTTPResponse | HTTPError:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("it is neither http nor https")
    asked = Request(url, body, {"Content-Type": media, "User-Agent": "reviewsvc"})  # noqa: S310 - http(s), checked above
    try:
        found: http.client.HTTPResponse = _open(asked, timeout=seconds)
    except HTTPError as refused:
        return refused
    return found


def _read(answer: http.client.HTTPResponse | HTTPError, until: float) -> bytes:
    """Read an answer in small steps: one that drips must not hold us longer than one that hangs."""
    found = b""
    stream = cast("http.client.HTTPResponse", answer.fp) if isinstance(answer, HTTPError) else answer
    while data := stream.read1(_AT_ONCE):
        found += data
        if len(found) > MOST_BYTES:
            raise UnreachableError(f"its answer is longer than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise UnreachableError("its answer did not come to an end in time")
    return found
