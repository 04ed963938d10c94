"""Bearer secrets: 256 random bits shown once; only their SHA-256 is kept."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from typing import NamedTuple

TOKEN_PREFIX = "rsv_"  # noqa: S105 - what tokens begin with, so that scanners of leaked secrets know them
_RANDOM_BYTES = 32
_SHAPE = re.compile(r"[a-z]+_[A-Za-z0-9_-]{43}")


class NewToken(NamedTuple):
    """A token's text, to be shown once, and the digest to be kept."""

    text: str
    digest: bytes


def new_token(prefix: str = TOKEN_PREFIX) -> NewToken:
    """Make a token; guessing it is hopeless, so a plain SHA-256 is enough and look-up is by equality."""
    text = prefix + urlsafe_b64encode(token_bytes(_RANDOM_BYTES)).rstrip(b"=").decode()
    return NewToken(text, sha256(text.encode()).digest())


def token_digest(text: str) -> bytes | None:
    """Give the digest to look a presented token up by; None if it cannot be one of ours."""
    if not _SHAPE.fullmatch(text):
        return None
    return sha256(text.encode()).digest()
