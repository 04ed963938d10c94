"""The event that a producer sends, read strictly and at C speed."""

import binascii
import datetime as dt
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, TypeVar

from msgspec import DecodeError, Meta, Raw, Struct, ValidationError, field
from msgspec.json import Decoder

from reviewsvc.domain.event_faults import (
    TOMBSTONE,
    Fault,
    FaultCode,
    deeper_than,
    malformed,
    not_utf8,
    nul_escape,
    unfit,
)

_T = TypeVar("_T")
_Name = Annotated[str, Meta(min_length=1, max_length=100)]
_Short = Annotated[str, Meta(min_length=1, max_length=200)]
_Long = Annotated[str, Meta(max_length=2048)]
_NotNegative = Annotated[float, Meta(ge=0.0)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Model(Struct, frozen=True, gc=False):
    """Which model answered, and which version of it."""

    name: _Name
    version: _Name


class Output(Struct, frozen=True, gc=False):
    """What the model answered: a label, a value or a text, and how sure it was."""

    label: _Short | None = None
    value: float | None = None
    text: str | None = None
    confidence: float | None = None
    scores: dict[str, float] | None = None


NO_OUTPUT = Output()


class Event(Struct, gc=False):
    """One prediction as its producer described it; `input` and `explanation` stay undecoded JSON.

    `source` is never read from the body: it is `ce_source`, else the topic.
    """

    prediction_id: Annotated[str, Meta(min_length=1, max_length=256)]
    model: Model
    predicted_at: Annotated[dt.datetime, Meta(tz=True)]
    output: Output = NO_OUTPUT
    input: Raw = Raw()
    input_ref: _Long | None = None
    input_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    subject: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    segment: _Short | None = None
    explanation: Raw = Raw()
    status: Literal["ok", "error"] = "ok"
    error: str | None = None
    latency_ms: _NotNegative | None = None
    cost: _NotNegative | None = None
    sequence: _Count | None = None
    traceparent: _Short | None = None
    source: str = field(default="", name=" source")


VALUE_LIMIT_BYTES = 1024 * 1024
DEPTH_LIMIT = 64

Headers = Iterable[tuple[str, bytes | None]]


class _Attributes(Struct):
    source: str
    traceparent: str | None = None
    content_type: str = ""
    specversion: str = ""


class _Envelope(Struct, gc=False):
    specversion: str
    id: str
    source: _Short
    type: str
    data: Raw = Raw()
    data_base64: str | None = None
    traceparent: _Short | None = None


_event = Decoder(Event).decode
_envelope = Decoder(_Envelope).decode


def read_event(
    value: bytes | None, headers: Headers, topic: str, *, limit_bytes: int = VALUE_LIMIT_BYTES
) -> Event | Fault:
    """Read one record's value as a prediction, or say in one fault why that cannot be done.

    Takes the bare JSON of the data, CloudEvents 1.0 in binary mode (`ce_` headers) and in structured mode
    (content type `application/cloudevents+json`). A key that occurs twice in an object counts as said last.
    """
    if not headers:
        return _read(value, topic, limit_bytes)
    attributes = _attributes(headers, topic)
    if isinstance(attributes, Fault):
        return TOMBSTONE if value is None else attributes
    if attributes.content_type == "application/cloudevents+json":
        return _structured(value, limit_bytes)
    event = _read(value, attributes.source, limit_bytes)
    if attributes.traceparent and isinstance(event, Event) and not event.traceparent:
        event.traceparent = attributes.traceparent
    return event


def _decoded(value: bytes | None, limit_bytes: int, decode: Callable[[bytes], _T]) -> _T | Fault:
    if value is None:
        return TOMBSTONE
    fault = _unreadable(value, limit_bytes)
    if fault is not None:
        return fault
    try:
        return decode(value)
    except ValidationError as error:
        return unfit(str(error))
    except DecodeError as error:
        return malformed(value, str(error))


def _read(value: bytes | None, source: str, limit_bytes: int) -> Event | Fault:
    event = _decoded(value, limit_bytes, _event)
    if isinstance(event, Fault):
        return event
    event.source = source
    if event.output is NO_OUTPUT or not event.input or not _FIRST <= event.predicted_at.year <= _LAST:
        return _incomplete(event) or event
    return event


_FIRST, _LAST = 1970, 2999
_BACKSLASH = ord("\\")


def _unreadable(value: bytes, limit_bytes: int) -> Fault | None:
    if len(value) > limit_bytes:
        return Fault(FaultCode.TOO_LARGE, expected=f"at most {limit_bytes} bytes", got=f"{len(value)} bytes")
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            return not_utf8(error)
    if _BACKSLASH in value and b"\\u0000" in value:
        fault = nul_escape(value)
        if fault is not None:
            return fault
    if 2 * len(value) - len(value.replace(b"{", b"")) - len(value.replace(b"[", b"")) > DEPTH_LIMIT:
        return deeper_than(value, DEPTH_LIMIT)
    return None


def _incomplete(event: Event) -> Fault | None:
    if not _FIRST <= event.predicted_at.year <= _LAST:
        return Fault(FaultCode.OUT_OF_RANGE, field="predicted_at", expected="a year from 1970 to 2999")
    if event.output is NO_OUTPUT and event.status == "ok":
        return Fault(FaultCode.MISSING_FIELD, field="output", expected="an object", got="nothing")
    if event.input or (event.input_ref and event.input_sha256) or event.status == "error":
        return None
    return Fault(
        FaultCode.MISSING_FIELD,
        field="input",
        expected="the input, or input_ref with input_sha256",
        got="neither",
    )


def _attributes(headers: Headers, topic: str) -> _Attributes | Fault:
    found = _Attributes(source=topic)
    for key, raw in headers:
        name = _HEADERS.get(key.lower())
        if name is None:
            continue
        try:
            text = (raw or b"").decode()
        except UnicodeDecodeError:
            return Fault(FaultCode.BAD_HEADER, field=key.lower(), expected="UTF-8 text", got="other bytes")
        if not text or len(text) > _HEADER_LIMIT or "\0" in text:
            rule = f"1 to {_HEADER_LIMIT} characters without NUL"
            return Fault(FaultCode.BAD_HEADER, field=key.lower(), expected=rule)
        setattr(found, name, text)
    return _mode(found)


_HEADER_LIMIT = 200
_BATCH = "application/cloudevents-batch+json"
_HEADERS = {
    "ce_source": "source",
    "ce_specversion": "specversion",
    "content-type": "content_type",
    "traceparent": "traceparent",
    "ce_traceparent": "traceparent",
}


def _mode(found: _Attributes) -> _Attributes | Fault:
    found.content_type = kind = found.content_type.split(";", 1)[0].strip().lower()
    if kind and (kind == _BATCH or not kind.endswith(("/json", "+json"))):
        expected = "application/json or application/cloudevents+json"
        return Fault(FaultCode.WRONG_CONTENT_TYPE, field="content-type", expected=expected)
    if found.specversion not in ("", "1.0"):
        return Fault(FaultCode.WRONG_SPECVERSION, field="ce_specversion", expected="1.0")
    return found


def _structured(value: bytes | None, limit_bytes: int) -> Event | Fault:
    envelope = _decoded(value, limit_bytes, _envelope)
    if isinstance(envelope, Fault):
        return envelope
    if envelope.specversion != "1.0":
        return Fault(FaultCode.WRONG_SPECVERSION, field="specversion", expected="1.0")
    event = _data(envelope, limit_bytes)
    if isinstance(event, Event) and not event.traceparent:
        event.traceparent = envelope.traceparent
    return event


def _data(envelope: _Envelope, limit_bytes: int) -> Event | Fault:
    if envelope.data or envelope.data_base64 is None:
        if not envelope.data:
            return Fault(FaultCode.MISSING_FIELD, field="data", expected="the prediction", got="nothing")
        return _read(bytes(envelope.data), envelope.source, limit_bytes)
    try:
        data = binascii.a2b_base64(envelope.data_base64, strict_mode=True)
    except binascii.Error:
        return Fault(FaultCode.WRONG_TYPE, field="data_base64", expected="base64", got="other text")
    return _read(data, envelope.source, limit_bytes)
