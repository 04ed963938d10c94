"""The algorithms behind the keys of notes: Ed25519, alone or as a cosignature, and ML-DSA-44."""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MLDSA44: Final = 0x06
SEED_BYTES: Final = 32
# How long a public key is, by the kinds that are known here.
KEY_BYTES: Final = {ED25519: 32, COSIGNATURE: 32, MLDSA44: 1312}
# Signatures of these kinds begin with a time.
TIMED: Final = frozenset({COSIGNATURE, MLDSA44})


class AlgorithmError(RuntimeError):
    """This machine's cryptography cannot do what is asked; the text says what to do."""


def public_key(kind: int, seed: bytes) -> bytes:
    """Return the public half of the key that a seed of 32 bytes makes."""
    return _private(kind, seed).public_key().public_bytes_raw()


def sign(kind: int, seed: bytes, message: bytes) -> bytes:
    """Sign a message."""
    return _private(kind, seed).sign(message)


def holds(kind: int, key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether a signature over a message holds."""
    public = MLDSA44PublicKey if kind == MLDSA44 else Ed25519PublicKey
    try:
        public.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _private(kind: int, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    if kind != MLDSA44:
        return Ed25519PrivateKey.from_private_bytes(seed)
    try:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    except UnsupportedAlgorithm as fault:
        raise AlgorithmError(
            "the OpenSSL behind `cryptography` knows no ML-DSA-44: take a wheel of it, or no second signature"
        ) from fault
