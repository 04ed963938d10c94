"""Asks a signer that runs as a process of its own, through its Unix socket."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from reviewsvc.domain.signing import Answer, Asked, SigningError, Tip, Told, Wanted

_SECONDS: Final = 10.0
_LONGEST_LINE: Final = 16_000_000
_decode: Final = msgspec.json.Decoder(Told).decode


class SocketSigner:
    """A signer behind a socket; what it cannot do is a SigningError here too."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tips(self, origins: Sequence[str]) -> list[Tip]:
        """Return the largest signed tree of each log, in the order asked."""
        return self._ask(Asked(tips=list(origins))).tips

    def everything(self) -> list[Tip]:
        """Return the largest signed tree of every log that was ever signed."""
        return self._ask(Asked(everything=True)).tips

    def sign(self, wanted: Sequence[Wanted], keys: Sequence[str]) -> list[Answer]:
        """Sign what extends the largest signed trees with these keys (their vkeys), each or refused."""
        return self._ask(Asked(wanted=list(wanted), keys=list(keys))).answers

    def _ask(self, asked: Asked) -> Told:
        try:
            told = _decode(self._exchange(msgspec.json.encode(asked) + b"\n"))
        except OSError as fault:
            raise SigningError(
                f"the signer at {self._path} does not answer ({fault}): start `reviewsvc signer`"
            ) from fault
        except msgspec.DecodeError as fault:
            raise SigningError(f"the signer at {self._path} broke off, or is none: {fault}") from fault
        if told.error:
            raise SigningError(told.error)
        fits = asked.everything or len(told.tips) == len(asked.tips)
        if not fits or len(told.answers) != len(asked.wanted):
            raise SigningError(f"the signer at {self._path} answered to something else")
        return told

    def _exchange(self, line: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(self._path))
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                return answers.readline(_LONGEST_LINE)
