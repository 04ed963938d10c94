"""Moments as entries carry them, whole microseconds since 1970 in UTC, and ids that sort by them."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
RANDOM_BYTES: Final = 10


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 of a moment with a time zone, without rounding."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """Turn microseconds since 1970 back into a moment in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


def moment_of(at_us: int | None) -> datetime | None:
    """The same, for what may not have happened."""
    return None if at_us is None else moment(at_us)


def uuid7(at: datetime, random: bytes) -> UUID:
    """Make a UUID of version 7 (RFC 9562, 5.7) from a moment and ten random bytes."""
    return uuid7_us(microseconds(at), random)


def uuid7_us(at_us: int, random: bytes) -> UUID:
    """Make a UUID of version 7 from microseconds since 1970 and ten random bytes."""
    milliseconds = at_us // 1000
    tail = int.from_bytes(random[:RANDOM_BYTES])
    high = (milliseconds << 16) | (0x7 << 12) | ((tail >> 62) & 0xFFF)
    low = (0b10 << 62) | (tail & ((1 << 62) - 1))
    return UUID(int=(high << 64) | low)
