"""What can be wrong with an event, in words that contain nothing of the event."""

import enum
import re

from msgspec import Struct


class FaultCode(enum.StrEnum):
    """Why an event was put into quarantine."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NAN = "nan"
    NUL_BYTE = "nul_byte"
    LONE_SURROGATE = "lone_surrogate"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_HEADER = "bad_header"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    WRONG_SPECVERSION = "wrong_specversion"
    UNKNOWN_MODEL = "unknown_model"
    DOES_NOT_FIT = "does_not_fit"
    UNDECODABLE = "undecodable"


class Fault(Struct, frozen=True, gc=False):
    """One reason why an event cannot be read; safe to keep in an entry's facts.

    `position` is a byte offset in the value, or -1. `field` is a name of the event's own schema or a
    header's name, or empty. `expected` and `got` are our words; nothing that the producer wrote is in them.
    """

    code: FaultCode
    position: int = -1
    field: str = ""
    expected: str = ""
    got: str = ""

    @property
    def text(self) -> str:
        """Say the fault in one line."""
        place = self.field or (f"byte {self.position}" if self.position >= 0 else "")
        said = f"expected {self.expected}" if self.expected else ""
        got = f"got {self.got}" if self.got else ""
        return ": ".join(filter(None, [self.code.value, place, ", ".join(filter(None, [said, got]))]))


TOMBSTONE = Fault(FaultCode.TOMBSTONE, expected="a JSON object", got="no value")
UNKNOWN_MODEL = Fault(
    FaultCode.UNKNOWN_MODEL,
    field="model.name",
    expected="a model with a contract (apply its contract, then send it again)",
    got="a model without one",
)

_BYTE = re.compile(r"\(byte (\d+)\)$")
_PLACE = re.compile(r"(?: - at `\$\.?(.*)`)?$")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_EXPECTED = re.compile(r"Expected (.*?)(?:, got `(\w+)`)?(?: - at |$)")
_NAN = re.compile(rb"-?(?:nan|inf)", re.IGNORECASE)
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_NESTING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


def nul_escape(value: bytes) -> Fault | None:
    """Find an escaped NUL character inside JSON text."""
    found = _ESCAPED_NUL.search(value)
    if found is None:
        return None
    return Fault(FaultCode.NUL_BYTE, found.end() - 6, expected="text without NUL characters", got="\\u0000")


def deeper_than(value: bytes, limit: int) -> Fault | None:
    """Find the place where JSON text nests deeper than `limit` objects and lists."""
    depth = 0
    for token in _NESTING.finditer(value):
        first = value[token.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return Fault(FaultCode.TOO_DEEP, token.start(), expected=f"at most {limit} levels")
        elif first in b"]}":
            depth -= 1
    return None


def not_utf8(error: UnicodeDecodeError) -> Fault:
    """Name the first byte that is not UTF-8."""
    return Fault(FaultCode.NOT_UTF8, error.start, expected="UTF-8 text", got="another byte")


def malformed(value: bytes, message: str) -> Fault:
    """Tell which kind of malformed JSON msgspec's message is about."""
    at = _BYTE.search(message)
    position = int(at[1]) if at else -1
    surrogate = _LONE_SURROGATE.search(value)
    if surrogate is not None:
        return Fault(FaultCode.LONE_SURROGATE, surrogate.end() - 6, expected="whole surrogate pairs")
    if 0 <= position < len(value) and value[position] == 0:
        return Fault(FaultCode.NUL_BYTE, position, expected="JSON without NUL bytes", got="a NUL byte")
    if position >= 0 and any(_NAN.match(value, start) for start in (max(position - 1, 0), position)):
        return Fault(FaultCode.NAN, position, expected="a finite number", got="NaN or Infinity")
    return Fault(FaultCode.NOT_JSON, position, expected="one JSON object", got="malformed JSON")


def unfit(message: str) -> Fault:
    """Turn msgspec's message about a well-formed but unfit event into a fault that names the field."""
    place = _known(_PLACE.search(message))
    missing = _MISSING.search(message)
    if missing:
        name = f"{place}.{missing[1]}" if place else missing[1]
        return Fault(FaultCode.MISSING_FIELD, field=name, expected="a value", got="nothing")
    said = _EXPECTED.search(message)
    if said and said[2]:
        return Fault(FaultCode.WRONG_TYPE, field=place, expected=_plain(said[1]), got=_plain(said[2]))
    if said:
        return Fault(FaultCode.OUT_OF_RANGE, field=place, expected=_RULE.get(place) or _plain(said[1]))
    return Fault(FaultCode.OUT_OF_RANGE, field=place, expected=_RULE.get(place, "a number that fits 64 bits"))


_RULE = {
    "predicted_at": "an RFC 3339 time with its zone, such as 2026-11-20T09:30:00Z",
    "status": "ok or error",
    "input_sha256": "64 lower-case hexadecimal digits",
}


_WORDS = {
    "str": "text",
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "array": "list",
    "datetime": "time",
    "|": "or",
}


def _plain(text: str) -> str:
    """Say in a producer's words what msgspec says in Python's."""
    return " ".join(_WORDS.get(word, word) for word in text.replace("`", "").split())


def _known(place: re.Match[str] | None) -> str:
    name = (place[1] or "") if place else ""
    return name.split("[", 1)[0].strip()
