"""Cosigns checkpoints of logs, and never two of one log that contradict each other, whoever asks."""

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.notes import (
    COSIGNATURE,
    ED25519,
    NoteError,
    Signer,
    Verifier,
    open_note,
    parse_verifier,
    signature_lines,
)
from reviewsvc.crypto.signer_state import SignerState
from reviewsvc.crypto.signing_keys import SigningKeyError
from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError
from reviewsvc.domain.signing import SigningError, Tip
from reviewsvc.domain.tree import ProofError, verify_consistency
from reviewsvc.domain.witnessing import RequestError, parse_extended, parse_request

_REMEDY: Final = "only for a witness that never cosigned, `reviewsvc witness keys NAME --new-state`"


class NotCosignedError(ValueError):
    """A checkpoint was not cosigned: the status of tlog-witness, why, and for 409 the size that is known."""

    def __init__(self, status: HTTPStatus, why: str, size: int | None = None) -> None:
        self.status, self.size = status, size
        super().__init__(why)


class Asked(NamedTuple):
    """A request that is well-formed and signed by its log: the checkpoint, its text, and the proof."""

    checkpoint: Checkpoint
    text: str
    old: int
    proof: list[bytes]


class Cosigner:
    """The keys of a file, the logs whose checkpoints they cosign, and the memory of what they cosigned."""

    def __init__(
        self, keys: Path, state: Path, logs: Sequence[Verifier], clock: Callable[[], float] = time.time
    ) -> None:
        self._signers = signing_keys.load(keys)
        if any(each.kind != COSIGNATURE for each in self._signers):
            raise SigningKeyError(
                f"{keys} holds keys that do not cosign: `reviewsvc witness keys` makes some"
            )
        self._state = SignerState(state, remedy=_REMEDY)
        self._clock = clock
        self.know(logs)

    def know(self, logs: Sequence[Verifier]) -> None:
        """Cosign these logs from now on, by their keys, and no others."""
        # One assignment: whoever is answered meanwhile sees the logs of before, or those of now.
        self._logs = _by_name(logs)

    @property
    def origins(self) -> list[str]:
        """The logs that it cosigns."""
        return sorted(self._logs)

    def tips(self) -> list[Tip]:
        """Return the largest tree that it cosigned of each log. Raises SigningError."""
        with self._state.locked() as tips:
            return [tips.get(origin) or Tip(origin) for origin in self.origins]

    def add(self, body: bytes) -> str:
        """Cosign what extends the largest tree cosigned before: the signatures' lines.

        Raises NotCosignedError, or SigningError if the memory cannot be read or written.
        """
        asked = self._read(body)
        with self._state.locked() as tips:
            known = tips.get(asked.checkpoint.origin) or Tip(asked.checkpoint.origin)
            _judge(asked, known)
            tips[known.origin] = Tip(known.origin, asked.checkpoint.size, asked.checkpoint.root.hex())
            # The memory is on the disk, under the lock, before the first signature exists: who dies in
            # between may be asked for the same checkpoint again, but signs no other of its size or below.
            self._write(tips)
        return self._lines(asked.text)

    def _read(self, body: bytes) -> Asked:
        try:
            request = parse_request(body)
            signature_lines(request.note)
            text = request.note.decode().rpartition("\n\n")[0] + "\n"
            checkpoint = parse_extended(text)
        except (RequestError, NoteError, CheckpointError) as fault:
            raise NotCosignedError(HTTPStatus.BAD_REQUEST, str(fault)) from fault
        known = self._logs.get(checkpoint.origin)
        if known is None:
            raise NotCosignedError(
                HTTPStatus.NOT_FOUND, f"the log {checkpoint.origin[:200]} is not known here"
            )
        try:
            open_note(request.note, known)
        except NoteError as fault:
            raise NotCosignedError(HTTPStatus.FORBIDDEN, str(fault)) from fault
        return Asked(checkpoint, text, request.old, request.proof)

    def _write(self, tips: dict[str, Tip]) -> None:
        try:
            self._state.write(tips)
        except OSError as fault:
            raise SigningError(f"the witness's state cannot be written: {fault}") from fault

    def _lines(self, text: str) -> str:
        now = max(1, int(self._clock()))
        return "".join(each.line(text, now) for each in self._signers)


def _by_name(logs: Sequence[Verifier]) -> dict[str, list[Verifier]]:
    found: dict[str, list[Verifier]] = {}
    for each in logs:
        found.setdefault(each.name, []).append(each)
    return found


def make_keys(path: Path, name: str, state: Path, *, new_state: bool = False) -> list[Signer]:
    """Make a witness's key and its empty memory where there are none, and return the keys of the file.

    An existing memory is never replaced; one that is missing beside an existing key only with `new_state`.
    """
    if new_state or not path.exists():
        # Before the key: who is killed in between is left with the memory of a witness that never cosigned.
        SignerState(state).begin()
    signing_keys.make(path, name, COSIGNATURE)
    return signing_keys.load(path)


def log_keys(text: str) -> list[Verifier]:
    """Read the keys of logs, one a line; empty lines and those that begin with # say nothing.

    Raises NoteError if a key is none, or is of another kind than logs sign with (Ed25519).
    """
    lines = [line.strip() for line in text.splitlines()]
    found = [parse_verifier(line) for line in lines if line and not line.startswith("#")]
    for each in found:
        if each.kind != ED25519 or not (each.name.isascii() and each.name.isprintable()):
            raise NoteError(f"{each.name}: a log's key is Ed25519 (01), under a name in ASCII")
    if not found:
        raise NoteError("there is no log's key, one a line, such as `reviewsvc audit publish` writes them")
    return found


def _judge(asked: Asked, known: Tip) -> None:
    """Raise NotCosignedError unless what is asked extends what is known."""
    size = asked.checkpoint.size
    if asked.old > size:
        raise NotCosignedError(HTTPStatus.BAD_REQUEST, f"old {asked.old} is beyond the checkpoint's {size}")
    if asked.old != known.size:
        why = f"{known.size} entries are cosigned, not {asked.old}"
        raise NotCosignedError(HTTPStatus.CONFLICT, why, known.size)
    roots = bytes.fromhex(known.root), asked.checkpoint.root
    try:
        verify_consistency(known.size, size, *roots, asked.proof)
    except ProofError as fault:
        why = f"{size} entries do not extend the {known.size} that are cosigned: {fault}"
        raise NotCosignedError(HTTPStatus.UNPROCESSABLE_ENTITY, why) from fault
