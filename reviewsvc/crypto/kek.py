"""The key that wraps keys: read from a file, a text or a keystore, never stored in the database."""

import base64
import binascii
import os
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from reviewsvc.crypto import owned_files

KEY_BYTES = 32
_EXPECTED = "32 bytes, raw, as 64 hex digits or as base64"


class KekError(RuntimeError):
    """The key-encryption key cannot be had or does not fit; the text says what to do."""


class Wrapped(NamedTuple):
    """A wrapped key, and the id of the KEK that unwraps it."""

    wrapped: bytes
    kek_id: str


class WrapsKeys(Protocol):
    """What wraps and unwraps keys: the port to whatever manages KEKs.

    While a KEK is being replaced two are in use: the first wraps, both unwrap. Any of these may be called
    by several threads at once. `unwrap` raises KekError for a key that none of its KEKs wrapped.
    """

    def kek_ids(self) -> list[str]:
        """Return the ids of the KEKs in use, the one that wraps first."""
        ...

    def wrap(self, key: bytes) -> Wrapped:
        """Wrap a key of 32 bytes with the first KEK (RFC 3394): 40 bytes."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap a key that any of the KEKs wrapped."""
        ...

    def renew(self) -> str:
        """Make a KEK that wraps from now on, and return its id; KekError where that is done elsewhere."""
        ...

    def retire(self, kek_id: str) -> None:
        """Stop using a KEK that wraps no more; KekError where that is done elsewhere."""
        ...


class Kek:
    """A key-encryption key with an id that tells which one wrapped a key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KekError(f"a key-encryption key has {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key
        self.kek_id = sha256(b"reviewsvc kek id\0" + key).hexdigest()[:16]

    def kek_ids(self) -> list[str]:
        """Return its id."""
        return [self.kek_id]

    def wrap(self, key: bytes) -> Wrapped:
        """Wrap a key of 32 bytes (RFC 3394): 40 bytes."""
        return Wrapped(aes_key_wrap(self._key, key), self.kek_id)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap a key; KekError if another KEK wrapped it."""
        try:
            return aes_key_unwrap(self._key, wrapped)
        except InvalidUnwrap as fault:
            raise KekError(
                "a key was wrapped by another key-encryption key: give the one that wrapped it"
            ) from fault

    def renew(self) -> str:
        """Refuse: one key cannot be another."""
        raise KekError("this key-encryption key is managed elsewhere: give the new one there, before the old")

    def retire(self, kek_id: str) -> None:
        """Refuse: one key cannot go."""
        raise KekError(f"the key-encryption key {kek_id} is managed elsewhere: take it away there")

    def text(self) -> str:
        """Write the key as hex digits, to be kept where nobody else reads it."""
        return self._key.hex()


class Keks:
    """Several KEKs, read again when where they are kept has changed: a running process follows a rotation."""

    def __init__(self, read: Callable[[], Sequence[Kek]], stamp: Callable[[], object]) -> None:
        """Take what reads the keys, the one that wraps first, and what changes when they do."""
        self._read, self._stamp = read, stamp
        self._lock = Lock()
        self._stamped = stamp()
        self._keks = tuple(read())

    def kek_ids(self) -> list[str]:
        """Return the ids of the KEKs in use, the one that wraps first."""
        return [kek.kek_id for kek in self._newest()]

    @property
    def kek_id(self) -> str:
        """The id of the KEK that wraps."""
        return self._newest()[0].kek_id

    def wrap(self, key: bytes) -> Wrapped:
        """Wrap a key of 32 bytes with the first KEK."""
        return self._newest()[0].wrap(key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap a key that any of the KEKs wrapped. Raises KekError."""
        found = _unwrapped(self._keks, wrapped) or _unwrapped(self._newest(), wrapped)
        if found is None:
            raise KekError(
                "a key was wrapped by a key-encryption key that is not among those given: give that one too"
            )
        return found

    def renew(self) -> str:
        """Refuse: where the keys are kept somebody else writes."""
        raise KekError("give the new key-encryption key where the others are kept, before them")

    def retire(self, kek_id: str) -> None:
        """Refuse likewise."""
        raise KekError(f"take the key-encryption key {kek_id} away where it is kept")

    def _newest(self) -> tuple[Kek, ...]:
        with self._lock:
            try:
                stamped = self._stamp()
                if stamped != self._stamped:
                    self._keks, self._stamped = tuple(self._read()), stamped
            except (OSError, KekError):
                # What was read before is as good as it was; the next start says what is wrong.
                return self._keks
            return self._keks


class KekFile(Keks):
    """KEKs in a file, one a line, the one that wraps first; a single one may be 32 raw bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            super().__init__(lambda: read_keks(path), lambda: _stamp(path))
        except OSError as fault:
            raise KekError(f"the key file {path} cannot be read: {fault.strerror}") from fault

    def renew(self) -> str:
        """Put a new KEK before the others."""
        made = Kek(os.urandom(KEY_BYTES))
        self._change(lambda keks: [made, *keks])
        return made.kek_id

    def retire(self, kek_id: str) -> None:
        """Take a KEK out of the file."""
        self._change(lambda keks: [kek for kek in keks if kek.kek_id != kek_id])

    def _change(self, change: Callable[[Sequence[Kek]], Sequence[Kek]]) -> None:
        try:
            # Two at once must not each write what the other did not read: a KEK that is in no file any more
            # has wrapped keys by then.
            with owned_files.locked(self._path):
                keks = change(read_keks(self._path))
                owned_files.replace(self._path, "".join(f"{kek.text()}\n" for kek in keks).encode())
        except OSError as fault:
            raise KekError(f"the key file {self._path} cannot be written: {fault.strerror}") from fault


def load_kek(path: Path) -> KekFile:
    """Read KEKs from a file: 32 raw bytes, 64 hex digits or base64; others must not be able to write it."""
    return KekFile(path)


def read_keks(path: Path) -> list[Kek]:
    """Read the KEKs of a file, the one that wraps first. Raises KekError."""
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as fault:
        raise KekError(f"the key file {path} cannot be read: {fault.strerror}") from fault
    # Container secrets are mounted readable for all inside the container, so only writing is refused.
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KekError(f"the key file {path} can be written by others: chmod 600 {path}")
    if len(data) == KEY_BYTES:
        return [Kek(data)]
    return parse_keks(data.decode("ascii", "replace"), f"the key file {path}")


def parse_keks(text: str, where: str) -> list[Kek]:
    """Read KEKs from a text, separated by lines or commas, the one that wraps first. Raises KekError."""
    found = [Kek(_decoded(part, where)) for part in text.replace(",", "\n").split()]
    if not found:
        raise KekError(f"{where} holds no key: expected {_EXPECTED}")
    return found


def make_kek_file(path: Path) -> KekFile:
    """Write a new random KEK to a file that did not exist, for its owner only; the existing one is kept."""
    owned_files.create(path, os.urandom(KEY_BYTES).hex().encode() + b"\n")
    return load_kek(path)


def _unwrapped(keks: Sequence[Kek], wrapped: bytes) -> bytes | None:
    for kek in keks:
        try:
            return kek.unwrap(wrapped)
        except KekError:
            continue
    return None


def _decoded(text: str, where: str) -> bytes:
    for decode in (binascii.unhexlify, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise KekError(f"{where} holds no key: expected {_EXPECTED}")


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
