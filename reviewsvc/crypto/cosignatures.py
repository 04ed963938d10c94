"""Tells a witness's signatures on a checkpoint from whatever else its answer holds."""

from functools import partial

from reviewsvc.crypto.algorithms import TIMED
from reviewsvc.crypto.notes import NoteError, Verified, Verifier, open_note, parse_verifier


def pick(verifier: Verifier, body: str, answer: bytes) -> str:
    """Return the first line of an answer that is the witness's signature on a checkpoint; or nothing."""
    for line in answer.decode("utf-8", "replace").split("\n"):
        try:
            opened(verifier, body, f"{line}\n")
        except NoteError:
            continue
        return f"{line}\n"
    return ""


def opened(verifier: Verifier, body: str, line: str) -> Verified:
    """Check a witness's signature line on a checkpoint's text. Raises NoteError."""
    return open_note(f"{body}\n{line}".encode(), [verifier]).signatures[0]


def picker(vkey: str) -> "partial[str]":
    """Return `pick` for a witness's verifier key. Raises NoteError if the key is none that cosigns."""
    verifier = parse_verifier(vkey)
    if verifier.kind not in TIMED:
        raise NoteError(
            f"the key of {verifier.name} signs logs; a witness's cosigns (04, or 06 for ML-DSA-44)"
        )
    return partial(pick, verifier)
