"""Signs checkpoints, and never two of one log that contradict each other, whoever asks."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.algorithms import TIMED
from reviewsvc.crypto.notes import NoteError, Signer, sign
from reviewsvc.crypto.signer_state import SignerState
from reviewsvc.crypto.signing_keys import SigningKeyError
from reviewsvc.domain.checkpoint import Checkpoint
from reviewsvc.domain.signing import FORK, MALFORMED, STALE, Answer, SigningError, Tip, Wanted
from reviewsvc.domain.tree import ProofError, verify_consistency

_HASH: Final = re.compile("[0-9a-f]{64}")
_LOG: Final = re.compile("[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+")
_LARGEST: Final = (1 << 63) - 1
_LONGEST_PROOF: Final = 64
_LONGEST_NAME: Final = 1_000


class RefusedError(ValueError):
    """A checkpoint must not be signed: the code of the reason, and the reason in words."""

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why)


class LogSigner:
    """The keys of a file and the memory of what they signed."""

    def __init__(self, keys: Path, state: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = keys
        self._state = SignerState(state)
        self._clock = clock
        self._keys = _by_vkey(keys)

    def begin(self) -> None:
        """Make the memory of a signer that has signed nothing yet; an existing one is kept."""
        self._state.begin()

    def tips(self, origins: Sequence[str]) -> list[Tip]:
        """Return the largest signed tree of each log, in the order asked. Raises SigningError."""
        with self._held() as tips:
            return [tips.get(origin) or Tip(origin) for origin in origins]

    def everything(self) -> list[Tip]:
        """Return the largest signed tree of every log that was ever signed. Raises SigningError."""
        with self._held() as tips:
            return sorted(tips.values(), key=lambda tip: tip.origin)

    def sign(self, wanted: Sequence[Wanted], keys: Sequence[str]) -> list[Answer]:
        """Sign what extends the largest signed trees with these keys, by their vkeys; refuse the rest.

        Raises SigningError if a key is not in the file, or the memory cannot be read or written.
        """
        signers = [self._key(vkey) for vkey in keys]
        if not signers:
            raise SigningError("no key was named to sign with")
        with self._held() as tips:
            judged = [_judge(each, tips, signers[0].name) for each in wanted]
            # The memory is on the disk before the first signature exists. If this process dies in between,
            # the same checkpoint may be asked for and signed again, but no other of its size or below.
            if any(answer.tip is None for answer in judged):
                self._write(tips)
        now = int(self._clock())
        return [
            Answer(note=_note(each, signers, now)) if answer.tip is None else answer
            for each, answer in zip(wanted, judged, strict=True)
        ]

    @contextmanager
    def _held(self) -> Iterator[dict[str, Tip]]:
        """Give the memory, unless it is another house's, which knows of nothing that was signed here."""
        with self._state.locked() as tips:
            names = {each.name for each in self._keys.values()}
            if tips and not any(origin.startswith(f"{name}/") for origin in tips for name in names):
                whose = next(iter(tips)).partition("/")[0]
                raise SigningError(
                    f"the signer's state {self._state.path} is of the logs of {whose}, and the keys in "
                    f"{self._path} sign those of {', '.join(sorted(names))}: put the right state there"
                )
            yield tips

    def _key(self, vkey: str) -> Signer:
        if vkey not in self._keys:
            # It may have been added to the file since.
            self._keys = _by_vkey(self._path)
        found = self._keys.get(vkey)
        if found is None:
            raise SigningError(
                f"the signing key {vkey[:80]} is not in {self._path}: bring the file up to date"
            )
        return found

    def _write(self, tips: dict[str, Tip]) -> None:
        try:
            self._state.write(tips)
        except OSError as fault:
            raise SigningError(f"the signer's state cannot be written: {fault}") from fault


def _by_vkey(path: Path) -> dict[str, Signer]:
    try:
        return {each.verifier().text(): each for each in signing_keys.load(path)}
    except SigningKeyError as fault:
        raise SigningError(str(fault)) from fault


def _judge(wanted: Wanted, tips: dict[str, Tip], origin: str) -> Answer:
    """Move the log's tip on, and answer without a tip; or leave it and answer why."""
    tip = tips.get(wanted.origin) or Tip(wanted.origin)
    try:
        _check(wanted, tip, origin)
    except RefusedError as refused:
        return Answer(refused=refused.code, why=str(refused), tip=tip)
    tips[wanted.origin] = Tip(wanted.origin, wanted.size, wanted.root)
    return Answer()


def _check(wanted: Wanted, tip: Tip, origin: str) -> None:
    hashes = [wanted.root, *wanted.proof]
    is_ours = wanted.origin.startswith(f"{origin}/") and len(wanted.origin) <= _LONGEST_NAME
    if not is_ours or not _LOG.fullmatch(wanted.origin):
        raise RefusedError(MALFORMED, f"{wanted.origin[:80]!r} is no log of {origin}")
    if len(hashes) > _LONGEST_PROOF or not all(map(_HASH.fullmatch, hashes)):
        raise RefusedError(MALFORMED, "a root or proof is not made of hashes in hex")
    if not 0 < wanted.size <= _LARGEST:
        raise RefusedError(MALFORMED, f"{wanted.size} is no size of a log")
    if wanted.old != tip.size:
        raise RefusedError(STALE, f"{tip.size} entries of {wanted.origin} are signed, not {wanted.old}")
    proof = [bytes.fromhex(each) for each in wanted.proof]
    roots = bytes.fromhex(tip.root), bytes.fromhex(wanted.root)
    try:
        verify_consistency(tip.size, wanted.size, *roots, proof)
    except ProofError as fault:
        raise RefusedError(
            FORK,
            f"{wanted.origin} with {wanted.size} entries does not extend what is signed of it: {fault}",
        ) from fault


def _note(wanted: Wanted, signers: Sequence[Signer], now: int) -> str:
    text = Checkpoint(wanted.origin, wanted.size, bytes.fromhex(wanted.root)).text()
    named = [Signer(wanted.origin, each.kind, each.seed) for each in signers]
    try:
        return sign(text, [each.line(text, now if each.kind in TIMED else None) for each in named])
    except NoteError as fault:
        raise SigningError(f"{wanted.origin} cannot be signed: {fault}") from fault
