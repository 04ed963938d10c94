"""The payload of a captured record: its key, its headers and its value, byte for byte."""

from base64 import b64decode, b64encode

import msgspec
from msgspec import Struct

MEDIA = "application/vnd.reviewsvc.record"
Headers = tuple[tuple[str, bytes | None], ...]
_BARE = b'{"key":null,"headers":[]}\n'


class Record(Struct, frozen=True):
    """A Kafka record as it was; a tombstone has no value."""

    key: bytes | None
    headers: Headers
    value: bytes | None


class _First(Struct, frozen=True, omit_defaults=True):
    key: str | None
    headers: list[tuple[str, str | None]]
    tombstone: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_First).decode


def frame(key: bytes | None, headers: Headers, value: bytes | None) -> bytes:
    """One line of JSON with key and headers in base64, then the value."""
    if value is not None and not headers:
        if key is None:
            return _BARE + value
        return b'{"key":"' + b64encode(key) + b'","headers":[]}\n' + value
    named = [(_name(name), None if data is None else b64encode(data).decode()) for name, data in headers]
    first = _First(None if key is None else b64encode(key).decode(), named, value is None)
    return _encode(first) + b"\n" + (value or b"")


def unframe(payload: bytes) -> Record:
    """Take a frame apart."""
    line, _, value = payload.partition(b"\n")
    first = _decode(line)
    headers = tuple(
        (b64decode(name).decode("utf-8", "surrogateescape"), None if data is None else b64decode(data))
        for name, data in first.headers
    )
    key = None if first.key is None else b64decode(first.key)
    return Record(key, headers, None if first.tombstone else value)


def _name(name: str) -> str:
    """Names are in base64 too: a header's name need not be UTF-8."""
    return b64encode(name.encode("utf-8", "surrogateescape")).decode()
