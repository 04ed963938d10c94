"""The entry: exact bytes of a log, chained by the RFC 6962 leaf hash of the entry before."""

import re
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

ZERO_HASH = bytes(32)
LARGEST_BODY = 65_535


class EntryError(ValueError):
    """The bytes are no entry in its one lawful form."""


class Src(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in Kafka an entry comes from; `skipped` counts control and aborted offsets passed before it."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    skipped: int
    at: int


class Actor(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acted: a person, a token's person, a command's system user, or a process of ours."""

    kind: str
    id: str


class Ref(Struct, frozen=True, forbid_unknown_fields=True):
    """Another entry, by its log's name and its seq."""

    log: str
    seq: int


class Payload(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry says of its encrypted payload; hashes in hex, size in bytes of the plaintext."""

    media: str
    size: int
    commit: str
    sha256: str
    key: str


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry, its members in the order in which they are written; times in microseconds."""

    v: int
    log: str
    seq: int
    prev: str
    at: int
    kind: str
    src: Src | None = None
    actor: Actor | None = None
    ref: Ref | None = None
    facts: Raw = Raw(b"{}")
    payload: Payload | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)
encode_facts = _encoder.encode


# What may be a float outside a text; where this finds nothing there is none.
_MAYBE_FLOAT = re.compile(rb"[:\[,]-?\d+[.eE]")


def leaf_hash(body: bytes) -> bytes:
    """The RFC 6962 leaf hash of an entry's bytes."""
    return sha256(b"\x00" + body).digest()


def encode(entry: Entry) -> bytes:
    """An entry's one lawful form."""
    return _encoder.encode(entry)


def parse(body: bytes) -> Entry:
    """Read an entry; EntryError if the bytes are not the one form that `encode` writes.

    Duplicate keys, another order of members, white space and floats in facts are refused.
    """
    try:
        entry = _decoder.decode(body)
        facts = msgspec.json.decode(entry.facts)
    except (msgspec.DecodeError, ValueError) as fault:
        raise EntryError(f"no entry: {fault}") from fault
    if encode(entry) != body or encode_facts(facts) != bytes(entry.facts):
        raise EntryError("not in the lawful form: members repeated, reordered or spaced")
    if _MAYBE_FLOAT.search(entry.facts) and _holds_float(facts):
        raise EntryError("facts hold a floating-point number; numbers are integers or strings")
    return entry


def number(value: float | None) -> str | None:
    """A number as facts carry it: shortest form that reads back the same."""
    return None if value is None else repr(value)


def _holds_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_float, value.values()))
    if isinstance(value, list):
        return any(map(_holds_float, value))
    return isinstance(value, float)
