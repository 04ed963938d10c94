"""C2SP signed notes: keys as text, signing, cosigning, and strict reading."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import pack
from typing import NamedTuple

from reviewsvc.crypto.algorithms import (
    COSIGNATURE,
    ED25519,
    KEY_BYTES,
    MLDSA44,
    SEED_BYTES,
    TIMED,
    public_key,
)
from reviewsvc.crypto.algorithms import holds as signature_holds
from reviewsvc.crypto.algorithms import sign as sign_bytes
from reviewsvc.domain.checkpoint import CheckpointError, parse_checkpoint

__all__ = ["COSIGNATURE", "ED25519", "MLDSA44"]

_ID_BYTES, _TIME_BYTES = 4, 8
_MOST_SIGNATURES = 100
_LONGEST_NAME = 255
_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY+"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LATEST_TIME = (1 << 63) - 1


class NoteError(ValueError):
    """A note or a key's text is malformed, or a known key's signature is wrong; the text says which."""


class Verified(NamedTuple):
    """A key whose signature holds; the time, in Unix seconds, is a cosignature's."""

    name: str
    key_id: bytes
    time: int | None


class Note(NamedTuple):
    """A note's text and those of the known keys that signed it, at least one."""

    text: str
    signatures: list[Verified]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key: its name, its kind (what it signs, and how), and its bytes."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ key)."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.key).digest()[:_ID_BYTES]

    def text(self) -> str:
        """The key as other people's tools take it: NAME+ID+BASE64."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.kind]) + self.key).decode()}"

    def verify(self, text: str, signature: bytes) -> Verified:
        """Check a signature over a note's text; raises NoteError."""
        time = None
        if self.kind in TIMED:
            time = int.from_bytes(signature[:_TIME_BYTES])
            signature = signature[_TIME_BYTES:]
            if not 0 < time <= _LATEST_TIME:
                raise NoteError(f"the signature of {self.name} has the time {time}")
        if not signature_holds(self.kind, self.key, signature, _message(self, text, time)):
            raise NoteError(f"the signature of {self.name}+{self.key_id.hex()} does not hold")
        return Verified(self.name, self.key_id, time)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key: its name, its kind (what it signs, and how), and its seed of 32 bytes."""

    name: str
    kind: int
    seed: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.kind, public_key(self.kind, self.seed))

    def text(self) -> str:
        """The key as it is kept in a file of its owner's alone."""
        secret = b64encode(bytes([self.kind]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier().key_id.hex()}+{secret}"

    def line(self, text: str, time: int | None = None) -> str:
        """Sign a note's text: the signature's line. Kinds that are timed say when, in Unix seconds."""
        if (time is None) == (self.kind in TIMED):
            raise NoteError("a cosignature has a time, and a signature has none")
        verifier = self.verifier()
        stamp = b"" if time is None else time.to_bytes(_TIME_BYTES)
        signature = sign_bytes(self.kind, self.seed, _message(verifier, text, time))
        return f"{_DASH}{self.name} {b64encode(verifier.key_id + stamp + signature).decode()}\n"


def parse_verifier(text: str) -> Verifier:
    """Read a public key's text strictly; raises NoteError."""
    name, key_id, kind, key = _parse_key(text)
    if len(key) != KEY_BYTES[kind]:
        raise NoteError(f"the key of {name} has {len(key)} bytes, not {KEY_BYTES[kind]}")
    found = Verifier(name, kind, key)
    if found.key_id != key_id:
        raise NoteError(f"the key {name}+{key_id.hex()} should have the id {found.key_id.hex()}")
    return found


def parse_signer(text: str) -> Signer:
    """Read a private key's text strictly; raises NoteError, which never shows the key."""
    if not text.startswith(_PRIVATE):
        raise NoteError(f"a signing key begins with {_PRIVATE}")
    name, key_id, kind, seed = _parse_key(text.removeprefix(_PRIVATE))
    if len(seed) != SEED_BYTES:
        raise NoteError(f"the signing key of {name} has {len(seed)} bytes, not {SEED_BYTES}")
    found = Signer(name, kind, seed)
    if found.verifier().key_id != key_id:
        raise NoteError(f"the signing key of {name} does not have the id that it says")
    return found


def sign(text: str, lines: Iterable[str]) -> str:
    """Put a text and its signatures' lines together into a note."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("a note's text ends with a newline and has no other control characters")
    return "\n".join([text, "".join(lines)])


def open_note(note: bytes, verifiers: Sequence[Verifier]) -> Note:
    """Read a note strictly and check what known keys signed; unknown keys' signatures are ignored.

    Raises NoteError if it is malformed, a known key's signature is wrong, or no known key signed it.
    """
    text, lines = _split(note)
    known = {(each.name, each.key_id): each for each in verifiers}
    found: list[Verified] = []
    for line in lines:
        name, key_id, signature = _parse_line(line)
        verifier = known.get((name, key_id))
        if verifier is not None:
            verified = verifier.verify(text, signature)
            if verified not in found:
                found.append(verified)
    if not found:
        raise NoteError("no known key signed this note")
    return Note(text, found)


def signature_lines(note: bytes) -> list[str]:
    """Give a note's signature lines, well-formed but not verified, each with its newline."""
    lines = _split(note)[1]
    for line in lines:
        _parse_line(line)
    return [f"{line}\n" for line in lines]


def _split(note: bytes) -> tuple[str, list[str]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note is UTF-8") from error
    if _CONTROL.search(whole):
        raise NoteError("a note has no control characters but newlines")
    # The text may hold empty lines itself: the last one is where the signatures begin.
    text, empty, signatures = whole.rpartition("\n\n")
    if not empty or not signatures.endswith("\n"):
        raise NoteError("a note is a text, an empty line and signatures, each line ended by a newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise NoteError(f"a note has at most {_MOST_SIGNATURES} signatures")
    return f"{text}\n", lines


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_name(name):
        raise NoteError(f"{line[:80]!r} is no signature's line")
    signature = _base64(encoded)
    if len(signature) <= _ID_BYTES:
        raise NoteError(f"{line[:80]!r} is too short for a signature")
    return name, signature[:_ID_BYTES], signature[_ID_BYTES:]


def _parse_key(text: str) -> tuple[str, bytes, int, bytes]:
    # Base64 may hold a plus itself, so the text is split at the first two alone.
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]) or not re.fullmatch("[0-9a-f]{8}", parts[1]):  # noqa: PLR2004 - name, id, key
        raise NoteError("a key is NAME+ID+BASE64, its id eight lower-case hex digits")
    data = _base64(parts[2])
    if not data or data[0] not in KEY_BYTES:
        raise NoteError(
            f"the key of {parts[0]} is neither Ed25519 (01), a cosignature's (04) nor ML-DSA-44 (06)"
        )
    return parts[0], bytes.fromhex(parts[1]), data[0], data[1:]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def _base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise NoteError("a signature or key is not base64") from error
    if b64encode(data).decode() != text:
        raise NoteError("a signature or key is not canonical base64")
    return data


def _message(key: Verifier, text: str, time: int | None) -> bytes:
    """What is signed: the text (signed-note), or what tlog-cosignature makes of it and the time."""
    if time is None:
        return text.encode()
    if key.kind == COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    try:
        origin, size, root = parse_checkpoint(text)
    except CheckpointError as error:
        raise NoteError(f"ML-DSA-44 signs checkpoints alone: {error}") from error
    named, log = key.name.encode(), origin.encode()
    if max(len(named), len(log)) > _LONGEST_NAME:
        raise NoteError(f"ML-DSA-44 signs for names of at most {_LONGEST_NAME} bytes")
    return b"".join(
        [
            b"subtree/v1\n\0",
            pack(">B", len(named)) + named,
            pack(">Q", time),
            pack(">B", len(log)) + log,
            pack(">QQ", 0, size),
            root,
        ]
    )
