"""Seals payloads: AES-256-GCM over salt‖payload, and the two hashes that an entry carries."""

from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
SALT_BYTES = 32
RANDOM_BYTES = NONCE_BYTES + SALT_BYTES


class EnvelopeError(ValueError):
    """A ciphertext does not open, or opens to something that its entry did not commit to."""


class Sealed(NamedTuple):
    """A payload sealed: nonce‖ciphertext as stored, SHA-256(salt‖payload), SHA-256(nonce‖ciphertext)."""

    ciphertext: bytes
    commit: bytes
    sha256: bytes


class Cipher:
    """One payload key, ready for use."""

    __slots__ = ("_aes",)

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes."""
        self._aes = AESGCM(key)

    def seal(self, payload: bytes, random: bytes) -> Sealed:
        """Seal a payload with 44 fresh random bytes: the nonce and the salt.

        The salt dies with the ciphertext, so that a commitment to erased data reveals nothing.
        Nonces are random: a key is good for 2^32 payloads.
        """
        nonce = random[:NONCE_BYTES]
        salted = random[NONCE_BYTES:RANDOM_BYTES] + payload
        stored = nonce + self._aes.encrypt(nonce, salted, None)
        return Sealed(stored, sha256(salted).digest(), sha256(stored).digest())

    def open(self, ciphertext: bytes, commit: bytes) -> bytes:
        """Open what was stored and hold it against the commitment, since GCM does not bind the plaintext."""
        return self.open_salted(ciphertext, commit)[SALT_BYTES:]

    def open_salted(self, ciphertext: bytes, commit: bytes) -> bytes:
        """Open it with its salt in front: who has both can check the commitment."""
        try:
            salted = self._aes.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as fault:
            raise EnvelopeError("the stored payload does not open with its key") from fault
        if sha256(salted).digest() != commit:
            raise EnvelopeError("the stored payload opens, but not to what its entry commits to")
        return salted
