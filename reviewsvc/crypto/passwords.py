"""Passwords: kept as argon2id hashes, compared at the same cost whether or not the person exists."""

from functools import cache
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

# 19 MiB, two passes, one lane: OWASP's first choice for servers, about 30 ms.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_LONGEST = 1024


class PasswordError(ValueError):
    """A password cannot be kept; the text says why."""


def hash_password(password: str) -> str:
    """Hash a password with a fresh random salt, as the text that `verify_password` takes.

    Raises PasswordError if it is empty, too long or no text.
    """
    if not password or len(password) > _LONGEST:
        raise PasswordError(f"A password has 1 to {_LONGEST} characters.")
    try:
        return _HASHER.hash(_bytes(password))
    except UnicodeEncodeError as error:
        raise PasswordError("A password is text: this one holds half a character.") from error


def verify_password(stored: str | None, password: str) -> bool:
    """Say whether the password fits the stored hash; with none (nobody of that name) it costs the same."""
    if len(password) > _LONGEST:
        return False
    try:
        fits = _HASHER.verify(stored or _nobodys(), _bytes(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return fits and stored is not None


def needs_rehash(stored: str) -> bool:
    """Say whether the hash was made with other parameters than today's, so that the next log-in renews it."""
    return _HASHER.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    # The same password typed on two systems may be composed differently: NIST SP 800-63B has it normalised.
    return normalize("NFKC", password).encode()


@cache
def _nobodys() -> str:
    return _HASHER.hash(b"nobody has this password")
