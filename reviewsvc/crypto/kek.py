"""The key that wraps keys: read from a file, never stored in the database."""

import base64
import binascii
import os
import stat
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32


class KekError(RuntimeError):
    """The key-encryption key cannot be had or does not fit; the text says what to do."""


class Kek:
    """A key-encryption key with an id that tells which one wrapped a key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KekError(f"a key-encryption key has {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key
        self.kek_id = sha256(b"reviewsvc kek id\0" + key).hexdigest()[:16]

    def wrap(self, key: bytes) -> bytes:
        """Wrap a key of 32 bytes (RFC 3394): 40 bytes."""
        return aes_key_wrap(self._key, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Unwrap a key; KekError if another KEK wrapped it."""
        try:
            return aes_key_unwrap(self._key, wrapped)
        except InvalidUnwrap as fault:
            raise KekError(
                "a key was wrapped by another key-encryption key: give the one this installation began with"
            ) from fault


def load_kek(path: Path) -> Kek:
    """Read a KEK from a file: 32 raw bytes, 64 hex digits or base64; others must not be able to write it."""
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as fault:
        raise KekError(f"the key file {path} cannot be read: {fault.strerror}") from fault
    # Container secrets are mounted readable for all inside the container, so only writing is refused.
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KekError(f"the key file {path} can be written by others: chmod 600 {path}")
    return Kek(_decoded(data, path))


def make_kek_file(path: Path) -> Kek:
    """Write a new random KEK to a file that did not exist, for its owner only; the existing one is kept."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(KEY_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    return load_kek(path)


def _decoded(data: bytes, path: Path) -> bytes:
    if len(data) == KEY_BYTES:
        return data
    text = data.strip()
    for decode in (binascii.unhexlify, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = decode(text)
        except binascii.Error:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise KekError(f"the key file {path} holds no key: expected 32 bytes, raw, as 64 hex digits or as base64")
