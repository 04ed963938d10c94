"""Asks an RFC 3161 time-stamp authority to say when it saw a checkpoint."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from reviewsvc.domain.anchoring import REFUSED, TIME_STAMP, UNPROVED, UNREACHABLE, AnchorError, Head, Kept
from reviewsvc.outside.http_post import UnreachableError, post

_SECONDS: Final = 15.0
_ASKS: Final = "application/timestamp-query"
_TELLS: Final = "application/timestamp-reply"


class Stamping(NamedTuple):
    """A request over some bytes, and what raises ValueError at an answer that does not hold."""

    request: bytes
    check: Callable[[bytes], object]


class TimeStamps:
    """An authority; `ask` makes a request over a signed checkpoint's bytes."""

    kind = TIME_STAMP
    vkey = None

    def __init__(self, url: str, ask: Callable[[bytes], Stamping], *, every_s: int = 60) -> None:
        self._ask = ask
        self.name, self.place, self.every_s = TIME_STAMP, url, every_s

    def keep(self, head: Head, old: int) -> Kept:  # noqa: ARG002 - an authority needs no proof
        """Have a checkpoint stamped, signatures and all. Raises AnchorError."""
        stamping = self._ask(head.note.encode())
        try:
            answer = post(self.place, stamping.request, _ASKS, seconds=_SECONDS)
        except UnreachableError as fault:
            raise AnchorError(UNREACHABLE, str(fault)) from fault
        if answer.status != HTTPStatus.OK or answer.media.partition(";")[0].strip() != _TELLS:
            outcome = UNREACHABLE if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED
            raise AnchorError(outcome, f"it answered {answer.status}, {answer.media[:60] or 'of no type'}")
        try:
            stamping.check(answer.body)
        except ValueError as fault:
            raise AnchorError(UNPROVED, str(fault)) from fault
        return Kept(evidence=answer.body)

    def newest(self, log: str, old: int) -> None:
        """Show nothing: an authority keeps nothing."""
