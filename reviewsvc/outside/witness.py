"""Asks a C2SP witness to cosign the root log's checkpoints."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from reviewsvc.domain.anchoring import (
    FORK,
    REFUSED,
    UNPROVED,
    UNREACHABLE,
    WITNESS,
    AnchorError,
    Head,
    Kept,
)
from reviewsvc.domain.witnessing import PATH, RequestError, parse_conflict, write_request
from reviewsvc.outside.http_post import Answered, UnreachableError, post

_SECONDS: Final = 10.0
_REFUSALS: Final = {
    HTTPStatus.BAD_REQUEST: "it calls the request malformed",
    HTTPStatus.FORBIDDEN: "it knows no key that signed our checkpoint: give it this log's verifier key",
    HTTPStatus.NOT_FOUND: "it does not know our root log, or is not at this address",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "it takes no request of this length",
}

# From a checkpoint's text and an answer: the signature lines in it that hold under the witness's key.
Pick = Callable[[str, bytes], str]


class Witness:
    """A witness: its name in the policy, its submission prefix, its key, and how its signatures are told."""

    kind = WITNESS

    def __init__(
        self, name: str, url: str, vkey: str, pick: Pick, *, every_s: int = 60, seconds: float = _SECONDS
    ) -> None:
        self.name, self.place, self.vkey, self.every_s = name, url, vkey, every_s
        self._pick, self._seconds = pick, seconds

    def keep(self, head: Head, old: int) -> Kept:
        """Have a checkpoint cosigned; `old` is where the witness was last. Raises AnchorError.

        If it is elsewhere, and not beyond us, that is proved to it once.
        """
        answer = self._ask(head, old)
        if answer.status == HTTPStatus.CONFLICT:
            known = _known(answer)
            if known > head.size:
                raise AnchorError(
                    FORK,
                    f"it has cosigned {known} entries of our root log, and {head.size} are signed here: a "
                    "fork, or entries were lost. Stop writing, and find out which, before anything else",
                    known,
                )
            answer = self._ask(head, known)
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer, head)
        lines = self._pick(head.body, answer.body)
        if not lines:
            raise AnchorError(UNPROVED, f"its answer has no signature of {self.vkey} on our checkpoint")
        return Kept(cosignature=lines)

    def newest(self, log: str, old: int) -> None:
        """Show nothing: a witness tells a size alone, which proves nothing."""

    def _ask(self, head: Head, old: int) -> Answered:
        url = f"{self.place.rstrip('/')}{PATH}"
        body = write_request(old, head.prove(old), head.note)
        try:
            return post(url, body, "text/plain; charset=utf-8", seconds=self._seconds)
        except UnreachableError as fault:
            raise AnchorError(UNREACHABLE, str(fault)) from fault


def _known(answer: Answered) -> int:
    try:
        return parse_conflict(answer.media, answer.body)
    except RequestError as fault:
        raise AnchorError(UNPROVED, f"its answer 409 tells no size: {fault}") from fault


def _refusal(answer: Answered, head: Head) -> AnchorError:
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        why = (
            f"it says that our checkpoint of {head.size} entries does not extend what it cosigned: it was "
            "shown another history of our root log, or it errs. Ask its operator what it has"
        )
        return AnchorError(FORK, why)
    if answer.status == HTTPStatus.CONFLICT:
        return AnchorError(UNPROVED, f"it names another size each time, {_known(answer)} at last")
    told = answer.body[:200].decode("utf-8", "replace").strip()
    known = {int(status): why for status, why in _REFUSALS.items()}.get(answer.status)
    outcome = UNREACHABLE if known is None else REFUSED
    return AnchorError(outcome, f"it answered {answer.status}: {known or told}")
