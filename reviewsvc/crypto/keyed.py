"""Keyed hashes: they find what is known, and tell nothing to whoever has no key."""

from hmac import digest

_DRAW_BITS = 53


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 of the parts, joined by NUL, in 32 bytes; a lone surrogate is hashed as its code point."""
    return digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")


def draw(key: bytes, *parts: str) -> float:
    """A uniform draw in [0, 1) that anyone with the key can repeat: the first 53 bits of the keyed hash."""
    return (int.from_bytes(keyed_hash(key, *parts)[:7]) >> (56 - _DRAW_BITS)) / (1 << _DRAW_BITS)
