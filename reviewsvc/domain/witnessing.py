"""C2SP tlog-witness: the body of add-checkpoint, and its answer when sizes differ; strict both ways."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple

from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError, parse_checkpoint, parse_hash, parse_size

PATH: Final = "/add-checkpoint"
SIZE_MEDIA: Final = "text/x.tlog.size"
MOST_BYTES: Final = 65_536
MOST_HASHES: Final = 63
_OLD: Final = "old "
_CHECKPOINT_LINES: Final = 3


class RequestError(ValueError):
    """The bytes are no such request or answer; the text says why."""


class Request(NamedTuple):
    """A checkpoint to cosign, as a signed note, and the proof that it extends the one of size `old`."""

    old: int
    proof: list[bytes]
    note: bytes


def write_request(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """Write the body of a request."""
    lines = [f"{_OLD}{old}", *(b64encode(each).decode() for each in proof)]
    return ("\n".join(lines) + f"\n\n{note}").encode()


def parse_request(body: bytes) -> Request:
    """Read the body of a request. Raises RequestError."""
    head, empty, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        if not empty or not first.startswith(_OLD) or len(lines) > MOST_HASHES:
            raise RequestError(
                f"`old N`, at most {MOST_HASHES} hashes, an empty line and a checkpoint are due"
            )
        return Request(parse_size(first.removeprefix(_OLD)), [parse_hash(line) for line in lines], note)
    except (UnicodeDecodeError, CheckpointError) as fault:
        raise RequestError(f"a line before the checkpoint is not as it should be: {fault}") from fault


def parse_extended(text: str) -> Checkpoint:
    """Read a checkpoint of anybody's log, which may have extension lines. Raises CheckpointError."""
    lines = text.split("\n")
    if len(lines) <= _CHECKPOINT_LINES or lines.pop() or not all(lines):
        raise CheckpointError("a checkpoint has three lines or more, none of them empty")
    return parse_checkpoint("\n".join(lines[:_CHECKPOINT_LINES]) + "\n")


def parse_conflict(media: str, body: bytes) -> int:
    """Read the size that a witness has, out of its answer 409. Raises RequestError."""
    if media.partition(";")[0].strip() != SIZE_MEDIA:
        raise RequestError(f"it is {media[:60] or 'of no type'}, not {SIZE_MEDIA}")
    try:
        return parse_size(body.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, CheckpointError) as fault:
        raise RequestError(f"it holds no size: {fault}") from fault
