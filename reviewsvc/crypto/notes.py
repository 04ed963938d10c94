"""C2SP signed notes with Ed25519: keys as text, signing, cosigning, and strict reading."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
_KEY_BYTES, _ID_BYTES, _TIME_BYTES = 32, 4, 8
_MOST_SIGNATURES = 100
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
    """A public key: its name, whether it signs or cosigns, and its 32 bytes."""

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
        message = text.encode()
        if self.kind == COSIGNATURE:
            time = int.from_bytes(signature[:_TIME_BYTES])
            message = _cosigned(text, time)
            signature = signature[_TIME_BYTES:]
        try:
            if time is not None and not 0 < time <= _LATEST_TIME:
                raise NoteError(f"the cosignature of {self.name} has the time {time}")
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature as error:
            raise NoteError(f"the signature of {self.name}+{self.key_id.hex()} does not hold") from error
        return Verified(self.name, self.key_id, time)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key: its name, whether it signs or cosigns, and its seed of 32 bytes."""

    name: str
    kind: int
    seed: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    def verifier(self) -> Verifier:
        """The public half."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return Verifier(self.name, self.kind, key.public_bytes_raw())

    def text(self) -> str:
        """The key as it is kept in a file of its owner's alone."""
        secret = b64encode(bytes([self.kind]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier().key_id.hex()}+{secret}"

    def line(self, text: str, time: int | None = None) -> str:
        """Sign a note's text: the signature's line. A cosigner says when, in Unix seconds."""
        if (time is None) != (self.kind == ED25519):
            raise NoteError("a cosignature has a time, and a signature has none")
        message, stamp = text.encode(), b""
        if time is not None:
            message, stamp = _cosigned(text, time), time.to_bytes(_TIME_BYTES)
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        return f"{_DASH}{self.name} {b64encode(self.verifier().key_id + stamp + signature).decode()}\n"


def parse_verifier(text: str) -> Verifier:
    """Read a public key's text strictly; raises NoteError."""
    name, key_id, kind, key = _parse_key(text)
    found = Verifier(name, kind, key)
    if found.key_id != key_id:
        raise NoteError(f"the key {name}+{key_id.hex()} should have the id {found.key_id.hex()}")
    return found


def parse_signer(text: str) -> Signer:
    """Read a private key's text strictly; raises NoteError, which never shows the key."""
    if not text.startswith(_PRIVATE):
        raise NoteError(f"a signing key begins with {_PRIVATE}")
    name, key_id, kind, seed = _parse_key(text.removeprefix(_PRIVATE))
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
    if len(data) != 1 + _KEY_BYTES or data[0] not in {ED25519, COSIGNATURE}:
        raise NoteError(f"the key of {parts[0]} is neither Ed25519 (01) nor a cosignature's (04)")
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


def _cosigned(text: str, time: int) -> bytes:
    """What a witness signs: tlog-cosignature, cosignature/v1."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()
