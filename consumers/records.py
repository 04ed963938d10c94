"""The records inside one batch: zigzag numbers, keys, values and headers, read from plain bytes."""

import struct
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]
# offset, time in milliseconds, key, value, headers: a plain tuple, since one is made for every event
Record: TypeAlias = tuple[int, int, bytes | None, bytes | None, Headers]

_VARINT_BITS = 70
_MORE = 0x80
_SINGLE: tuple[int | None, ...] = tuple(
    (byte >> 1) ^ -(byte & 1) if byte < _MORE else None for byte in range(256)
)


class DecodeError(Exception):
    """Bytes that are no records; it never leaves the decoder."""


def marker_type(data: bytes, at: int) -> int:
    """Read the type of a control record (0 abort, 1 commit): the second int16 of its key."""
    try:
        _length, at = _varint(data, at)
        _delta_ms, at = _varint(data, at + 1)
        _delta, at = _varint(data, at)
        _key_size, at = _varint(data, at)
        return int(struct.unpack_from(">hh", data, at)[1])
    except (IndexError, struct.error) as error:
        raise DecodeError("its control record ends early") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a zigzag varint of at most ten bytes: the value and the place behind it."""
    byte = data[at]
    at += 1
    if byte < _MORE:
        return (byte >> 1) ^ -(byte & 1), at
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift >= _VARINT_BITS:
            raise DecodeError("a number in it is longer than ten bytes")


def walk(data: bytes, at: int, count: int, base: int, first_at: int) -> tuple[list[Record], int]:
    """Read `count` records from the place `at`; `base` and `first_at` (ms) are what their deltas add to.

    Returns them with the place behind the last. Raises DecodeError, or IndexError where the bytes end early.
    One-byte numbers are read in place: a call for each costs half of all decoding.
    """
    varint, single = _varint, _SINGLE
    records: list[Record] = []
    add = records.append
    for _ in range(count):
        length, at = varint(data, at)
        end = at + length
        at += 1
        if (delta_ms := single[data[at]]) is None:
            delta_ms, at = varint(data, at)
        else:
            at += 1
        if (delta := single[data[at]]) is None:
            delta, at = varint(data, at)
        else:
            at += 1
        key = value = None
        if (size := single[data[at]]) is None:
            size, at = varint(data, at)
        else:
            at += 1
        if size >= 0:
            key = data[at : at + size]
            at += size
        size, at = varint(data, at)
        if size >= 0:
            value = data[at : at + size]
            at += size
        headers: Headers = ()
        if data[at]:
            headers, at = _headers(data, at)
        else:
            at += 1
        if at != end:
            raise DecodeError(f"a record of {length} bytes holds {length + at - end}")
        add((base + delta, first_at + delta_ms, key, value, headers))
    return records, at


def _headers(data: bytes, at: int) -> tuple[Headers, int]:
    single = _SINGLE
    count, at = _varint(data, at)
    if count < 0:
        raise DecodeError(f"a record says that it holds {count} headers")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        if (size := single[data[at]]) is None:
            size, at = _varint(data, at)
        else:
            at += 1
        if size < 0:
            raise DecodeError("a header has no name")
        name = data[at : at + size].decode("utf-8", "surrogateescape")
        at += size
        if (size := single[data[at]]) is None:
            size, at = _varint(data, at)
        else:
            at += 1
        value = None
        if size >= 0:
            value = data[at : at + size]
            at += size
        headers.append((name, value))
    return tuple(headers), at


def check_offsets(records: list[Record], first: int, last: int) -> None:
    """Raise DecodeError unless the offsets rise and stay inside `first` to `last`, both inclusive."""
    before = first - 1
    for record in records:
        offset = record[0]
        if offset <= before or offset > last:
            raise DecodeError(
                f"offset {offset} stands behind {before}, outside {first} to {last} or out of order"
            )
        before = offset
