"""C2SP tlog-checkpoint: what a log says of itself, as the text that is signed; no extension lines."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import NamedTuple

_ROOT_BYTES = 32
_LARGEST = (1 << 63) - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(ValueError):
    """A text is no checkpoint; the text says why."""


class Checkpoint(NamedTuple):
    """A log's origin, its number of entries, and its root hash."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The checkpoint's three lines."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint strictly: what it was read from is what `text` gives again."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:  # noqa: PLR2004 - three lines, and nothing behind the last newline
        raise CheckpointError("a checkpoint has exactly three lines: origin, size and root")
    origin, size, root = lines[:3]
    if not origin:
        raise CheckpointError("a checkpoint's origin is not empty")
    return Checkpoint(origin, parse_size(size), parse_hash(root))


def parse_size(text: str) -> int:
    """Read a number of entries: decimal, without sign or leading zeros, below 2^63."""
    if not _DECIMAL.fullmatch(text) or int(text) > _LARGEST:
        raise CheckpointError(f"{text[:40]!r} is no size: digits without leading zeros are expected")
    return int(text)


def parse_hash(text: str) -> bytes:
    """Read a hash: 32 bytes in padded, canonical base64."""
    try:
        found = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise CheckpointError(f"{text[:60]!r} is not base64") from error
    if len(found) != _ROOT_BYTES or b64encode(found).decode() != text:
        raise CheckpointError(f"{text[:60]!r} is not the canonical base64 of {_ROOT_BYTES} bytes")
    return found
