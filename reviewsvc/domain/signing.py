"""What a sealer asks of a signer and is told: plain data, that may pass through a socket."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from reviewsvc.domain.tree import EMPTY_ROOT

# Why a signer does not sign.
STALE: Final = "stale"
FORK: Final = "fork"
MALFORMED: Final = "malformed"


class SigningError(RuntimeError):
    """A signer cannot do its work now: its files or its socket are in trouble; the text says what to do."""


class Tip(Struct, frozen=True, forbid_unknown_fields=True):
    """The largest tree of a log that was signed; the root in hex."""

    origin: str
    size: int = 0
    root: str = EMPTY_ROOT.hex()


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint to be signed, and the proof that it extends the largest one that was, of size `old`."""

    origin: str
    old: int
    size: int
    root: str
    proof: list[str] = []


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """The signed note; or a code why it was refused, the reason in words, and the largest that was signed."""

    note: str = ""
    refused: str = ""
    why: str = ""
    tip: Tip | None = None


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """A line to the signer's socket: logs whose tips are wanted, or checkpoints to be signed by some keys.

    With `everything` the tips of all logs are wanted that it ever signed.
    """

    tips: list[str] = []
    wanted: list[Wanted] = []
    keys: list[str] = []
    everything: bool = False


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """A line from the signer's socket; `error` if it could not work at all."""

    tips: list[Tip] = []
    answers: list[Answer] = []
    error: str = ""


class SignsCheckpoints(Protocol):
    """A signer, here or behind a socket. All calls raise SigningError."""

    def tips(self, origins: Sequence[str]) -> list[Tip]:
        """Return the largest signed tree of each log, in the order asked."""
        ...

    def everything(self) -> list[Tip]:
        """Return the largest signed tree of every log that was ever signed."""
        ...

    def sign(self, wanted: Sequence[Wanted], keys: Sequence[str]) -> list[Answer]:
        """Sign what extends the largest signed trees with these keys (their vkeys), each or refused."""
        ...
