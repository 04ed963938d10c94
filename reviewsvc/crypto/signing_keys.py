"""Files of signing keys, one a line, the newest last; a key signs under the names of all logs."""

import os
import stat
from pathlib import Path
from typing import TypeVar

from reviewsvc.crypto import owned_files
from reviewsvc.crypto.notes import ED25519, NoteError, Signer, Verifier, parse_signer

Key = TypeVar("Key", Signer, Verifier)


class SigningKeyError(RuntimeError):
    """A file of signing keys cannot be read, or holds what it should not; the text says what to do."""


def make(path: Path, origin: str, kind: int = ED25519) -> bool:
    """Write a new key to a file that does not exist, for its owner only; False if it does."""
    is_new = owned_files.create(path, _lines([_new(origin, kind)]))
    found = load(path)
    if found[0].name != origin:
        raise SigningKeyError(f"the keys in {path} are those of {found[0].name}, not of {origin}")
    return is_new


def add(path: Path, kind: int = ED25519) -> Signer:
    """Put one more new key behind those of a file and return it."""
    with owned_files.locked(path):
        found = load(path)
        made = _new(found[0].name, kind)
        owned_files.replace(path, _lines([*found, made]))
    return made


def load(path: Path) -> list[Signer]:
    """Read a file's keys, the oldest first; others must not be able to write it. Raises SigningKeyError."""
    try:
        text, mode = path.read_text("ascii"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or "it is no text"
        raise SigningKeyError(
            f"the signing keys in {path} cannot be read: {why}; `reviewsvc keys make {path}` makes one"
        ) from fault
    # Container secrets are mounted readable for all inside the container, so only writing is refused.
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SigningKeyError(f"the signing keys in {path} can be written by others: chmod 600 {path}")
    try:
        found = [parse_signer(line) for line in text.splitlines()]
    except NoteError as fault:
        raise SigningKeyError(f"{path} holds something else than signing keys: {fault}") from fault
    if len({each.name for each in found}) != 1:
        raise SigningKeyError(f"{path} must hold at least one signing key, and those of one origin only")
    return found


def named(key: Key, log: str) -> Key:
    """Return the same key under a log's name, which is its origin: the key's name, a slash, the log's."""
    material = key.seed if isinstance(key, Signer) else key.key
    return type(key)(f"{key.name}/{log}", key.kind, material)


def _new(origin: str, kind: int) -> Signer:
    return Signer(origin, kind, os.urandom(32))


def _lines(keys: list[Signer]) -> bytes:
    return "".join(f"{each.text()}\n" for each in keys).encode()
