import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.event_faults import Fault, FaultCode
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.explanation import read_explanation
from reviewsvc.domain.moments import microseconds

pytestmark = pytest.mark.unit

TOPIC = "reviewsvc.predictions.v1"


def sample(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "prediction_id": "loan-7",
        "model": {"name": "loans", "version": "3"},
        "predicted_at": "2026-11-20T09:30:00.25Z",
        "input": {"income": 4200},
        "output": {"label": "approve", "confidence": 0.91},
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not ...}


def read(body: Any, headers: Any = ()) -> Event | Fault:
    return read_event(body if isinstance(body, bytes) else json.dumps(body).encode(), headers, TOPIC)


def event_of(body: Any, headers: Any = ()) -> Event:
    found = read(body, headers)
    assert isinstance(found, Event), found
    return found


def fault_of(body: Any, headers: Any = ()) -> Fault:
    found = read(body, headers)
    assert isinstance(found, Fault), found
    return found


def test_bare_json_is_read_with_the_topic_as_source() -> None:
    event = event_of(sample(subject="person-1", segment="b", latency_ms=3, sequence=9))
    assert (event.prediction_id, event.model.name, event.model.version) == ("loan-7", "loans", "3")
    assert (event.output.label, event.output.confidence, event.source) == ("approve", 0.91, TOPIC)
    assert (event.subject, event.segment, event.latency_ms, event.sequence) == ("person-1", "b", 3.0, 9)
    assert microseconds(event.predicted_at) == 1_795_167_000_250_000
    assert json.loads(bytes(event.input)) == {"income": 4200}


def test_binary_cloudevent_takes_source_and_trace_from_its_headers() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_source", "/shop/münchen".encode()),
        ("ce_id", b"1"),
        ("content-type", b"application/json; charset=utf-8"),
        ("traceparent", b"00-aa-bb-01"),
    ]
    event = event_of(sample(source="what the body says is not believed"), headers)
    assert (event.source, event.traceparent) == ("/shop/münchen", "00-aa-bb-01")


@pytest.mark.parametrize("carried", ["data", "data_base64"])
def test_structured_cloudevent_is_opened(carried: str) -> None:
    data: Any = sample()
    if carried == "data_base64":
        data = base64.b64encode(json.dumps(data).encode()).decode()
    envelope = {
        "specversion": "1.0",
        "id": "1",
        "source": "/a",
        "type": "t",
        "traceparent": "x",
        carried: data,
    }
    event = event_of(envelope, [("content-type", b"application/cloudevents+json; charset=UTF-8")])
    assert (event.prediction_id, event.source, event.traceparent) == ("loan-7", "/a", "x")


def test_input_may_stay_elsewhere_if_its_hash_is_given() -> None:
    event = event_of(sample(input=..., input_ref="s3://b/k", input_sha256="0" * 64))
    assert not event.input
    assert fault_of(sample(input=..., input_ref="s3://b/k")).field == "input"


def test_a_failed_prediction_needs_no_output() -> None:
    assert event_of(sample(output=..., status="error", error="out of memory")).output.label is None


def test_the_last_of_two_equal_keys_counts() -> None:
    body = json.dumps(sample()).replace('"loan-7"', '"first", "prediction_id": "last"')
    assert event_of(body.encode()).prediction_id == "last"


@pytest.mark.parametrize(
    ("code", "field", "body"),
    [
        ("missing_field", "prediction_id", sample(prediction_id=...)),
        ("missing_field", "model", sample(model=...)),
        ("missing_field", "model.version", sample(model={"name": "loans"})),
        ("missing_field", "input", sample(input=...)),
        ("missing_field", "output", sample(output=...)),
        ("wrong_type", "prediction_id", sample(prediction_id=7)),
        ("wrong_type", "output", sample(output="approve")),
        ("wrong_type", "output.confidence", sample(output={"confidence": "high"})),
        ("wrong_type", "output.scores", sample(output={"scores": {"a": "b"}})),
        ("wrong_type", "predicted_at", sample(predicted_at=1_700_000_000)),
        ("out_of_range", "prediction_id", sample(prediction_id="")),
        ("out_of_range", "prediction_id", sample(prediction_id="x" * 257)),
        ("out_of_range", "predicted_at", sample(predicted_at="2026-11-20T09:30:00")),
        ("out_of_range", "predicted_at", sample(predicted_at="yesterday")),
        ("out_of_range", "predicted_at", sample(predicted_at="0001-01-01T00:00:00Z")),
        ("out_of_range", "latency_ms", sample(latency_ms=-1)),
        ("out_of_range", "sequence", sample(sequence=10**30)),
        ("out_of_range", "input_sha256", sample(input_sha256="ABC")),
        ("out_of_range", "status", sample(status="fine")),
        ("wrong_type", "", []),
        ("wrong_type", "", "text"),
    ],
)
def test_an_unfit_event_names_the_field_and_what_was_expected(code: str, field: str, body: Any) -> None:
    fault = fault_of(body)
    assert (fault.code, fault.field) == (code, field)
    assert fault.expected
    assert "`" not in fault.text


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("not_json", b""),
        ("not_json", b"{"),
        ("not_json", b"{'a': 1}"),
        ("not_json", b'{"a": nul}'),
        ("not_json", b'{"a": 01}'),
        ("not_json", b"\xef\xbb\xbf{}"),
        ("not_json", json.dumps(sample()).encode() + b" x"),
        ("nan", b'{"input": {"a": NaN}}'),
        ("nan", b'{"output": {"confidence": -Infinity}}'),
        ("nan", b'{"input": [Infinity]}'),
        ("out_of_range", json.dumps(sample()).replace("0.91", "1e999").encode()),
        ("not_utf8", b'{"prediction_id": "\xff"}'),
        ("not_utf8", b'{"input": {"a": "\xed\xa0\x80"}}'),
        ("nul_byte", b'{"prediction_id": "a\x00"}'),
        ("nul_byte", b'\x00{"prediction_id": "a"}'),
        ("nul_byte", json.dumps(sample(prediction_id="a\x00")).encode()),
        ("nul_byte", json.dumps(sample(input={"a\\\x00": 1})).encode()),
        ("lone_surrogate", json.dumps(sample(input={"a": "\ud800"})).encode()),
        ("lone_surrogate", json.dumps(sample(prediction_id="\udc00\ud800 and more text")).encode()),
        ("too_deep", b'{"input": ' + b"[" * 64 + b"]" * 64 + b"}"),
        ("too_deep", b'{"x": ' + b'{"a":' * 100_000),
        ("too_large", b" " * (1024 * 1024 + 1)),
    ],
)
def test_bytes_that_cannot_be_read_get_a_code(code: str, body: bytes) -> None:
    assert fault_of(body).code == code


def test_a_tombstone_is_a_fault_of_its_own_in_every_mode() -> None:
    for headers in ((), [("ce_source", b"\xff")], [("content-type", b"application/cloudevents+json")]):
        fault = read_event(None, headers, TOPIC)
        assert isinstance(fault, Fault)
        assert fault.code is FaultCode.TOMBSTONE


def test_many_brackets_that_do_not_nest_deep_are_read() -> None:
    assert event_of(sample(input={"list": [[1]] * 500, "text": "[" * 500 + '"{'}))


def test_64_levels_are_read() -> None:
    nested: Any = 1
    for _ in range(62):
        nested = [nested]
    assert event_of(sample(input={"a": nested}))
    assert fault_of(sample(input={"a": [nested]})).code == "too_deep"


def test_pairs_of_surrogates_and_escaped_backslashes_are_text() -> None:
    event = event_of(sample(prediction_id="\U0001f600 \\u0000 \\ud800 é"))
    assert event.prediction_id == "\U0001f600 \\u0000 \\ud800 é"
    assert (
        event_of(json.dumps(sample(subject="\U0001f600é"), ensure_ascii=False).encode()).subject
        == "\U0001f600é"
    )


def test_big_integers_are_numbers() -> None:
    assert event_of(sample(input={"n": 10**400}, output={"value": 10**30})).output.value == 1e30


def test_a_fault_names_types_as_a_producer_would() -> None:
    assert (
        fault_of(sample(prediction_id=7)).text == "wrong_type: prediction_id: expected text, got whole number"
    )
    wrong = fault_of(sample(output={"confidence": "high"}))
    assert wrong.text == "wrong_type: output.confidence: expected number or null, got text"
    assert "RFC 3339" in fault_of(sample(predicted_at="2026-11-20T09:30:00")).text


@pytest.mark.parametrize(
    ("code", "field", "headers"),
    [
        ("bad_header", "ce_source", [("ce_source", b"\xff")]),
        ("bad_header", "ce_source", [("ce_source", None)]),
        ("bad_header", "ce_source", [("ce_source", b"a\x00")]),
        ("bad_header", "ce_source", [("ce_source", b"a" * 201)]),
        ("wrong_specversion", "ce_specversion", [("ce_specversion", b"0.3")]),
        ("wrong_content_type", "content-type", [("content-type", b"application/avro")]),
        ("wrong_content_type", "content-type", [("content-type", b"application/cloudevents-batch")]),
        ("wrong_content_type", "content-type", [("content-type", b"application/cloudevents-batch+json")]),
        ("missing_field", "specversion", [("content-type", b"application/cloudevents+json")]),
    ],
)
def test_headers_that_matter_are_checked(code: str, field: str, headers: Any) -> None:
    fault = fault_of(sample(), headers)
    assert (fault.code, fault.field) == (code, field)


def test_headers_that_nobody_reads_may_be_anything() -> None:
    assert event_of(sample(), [("x-\udcff", b"\xff"), ("y", None)]).source == TOPIC


def test_limit_is_a_setting() -> None:
    fault = read_event(b"x" * 11, (), TOPIC, limit_bytes=10)
    assert isinstance(fault, Fault)
    assert fault.text == "too_large: expected at most 10 bytes, got 11 bytes"


def test_a_fault_never_repeats_what_the_producer_wrote() -> None:
    body = sample(
        prediction_id="Ms Secret " * 40, output={"label": "Ms Secret", "scores": {"Ms Secret": "x"}}
    )
    assert "Secret" not in fault_of(body).text


@given(st.binary(max_size=200))
def test_any_bytes_give_an_event_or_a_fault(value: bytes) -> None:
    for headers in ((), [("content-type", b"application/cloudevents+json")]):
        assert isinstance(read_event(value, headers, TOPIC), Event | Fault)


@given(st.data())
def test_any_edit_of_a_good_event_gives_an_event_or_a_fault(data: st.DataObject) -> None:
    good = json.dumps(sample()).encode()
    at = data.draw(st.integers(0, len(good) - 1))
    edited = good[:at] + data.draw(st.binary(max_size=8)) + good[at + data.draw(st.integers(0, 4)) :]
    assert isinstance(read(edited), Event | Fault)


def test_explanations_are_read_in_both_shapes_largest_first() -> None:
    listed = read_explanation(
        b'{"base": 0.5, "attributions": [{"feature":"a","value":1},{"feature":"b","value":-2}]}'
    )
    mapped = read_explanation(b'{"a": 1, "b": -2}')
    assert listed is not None
    assert mapped is not None
    assert [(one.feature, one.value) for one in listed.attributions] == [("b", -2.0), ("a", 1.0)]
    assert (listed.attributions, listed.base, mapped.base) == (mapped.attributions, 0.5, None)
    assert read_explanation(b"") is read_explanation(b"[1]") is read_explanation(b"null") is None
