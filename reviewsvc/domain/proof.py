"""C2SP tlog-proof: an entry's way to a signed checkpoint, and the receipt that leads on to the root log."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

_HEADER: Final = "c2sp.org/tlog-proof@v1"


class Proved(NamedTuple):
    """An entry's bytes, and the text that proves it to be in its log."""

    entry: bytes
    proof: str


def tlog_proof(index: int, hashes: Sequence[bytes], note: str) -> str:
    """Write a proof: the entry's index, the hashes from the leaf up, and the log's signed checkpoint."""
    lines = [_HEADER, f"index {index}", *(b64encode(each).decode() for each in hashes)]
    return "\n".join([*lines, "", note])


def proved_text(parts: Iterable[Proved]) -> bytes:
    """Write entries, each before its proof: a bundle's export has one, a receipt goes on with the root's.

    An entry is one line, so that what stands behind its first line is a proof as others read it.
    """
    return b"".join(part.entry + b"\n" + part.proof.encode() for part in parts)
