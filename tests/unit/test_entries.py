"""An entry has one lawful form; whatever else parses is none."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw

from reviewsvc.domain.entries import Actor, Entry, EntryError, Payload, Ref, Src, encode, number, parse

pytestmark = pytest.mark.unit

whole = st.integers(-(2**53), 2**53)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.none() | st.booleans() | whole | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)
facts = st.dictionaries(texts, values, max_size=5)
entries = st.builds(
    Entry,
    v=st.just(1),
    log=texts,
    seq=whole,
    prev=texts,
    at=whole,
    kind=texts,
    src=st.none() | st.builds(Src, texts, texts, whole, whole, whole, whole),
    actor=st.none() | st.builds(Actor, texts, texts),
    ref=st.none() | st.builds(Ref, texts, whole),
    facts=facts.map(lambda said: Raw(msgspec.json.encode(said))),
    payload=st.none() | st.builds(Payload, texts, whole, texts, texts, texts),
)


def body(said: bytes) -> bytes:
    return b'{"v":1,"log":"l","seq":0,"prev":"0","at":1,"kind":"k","facts":' + said + b"}"


@given(entry=entries)
def test_what_is_written_reads_back_and_is_written_alike(entry: Entry) -> None:
    read = parse(encode(entry))
    assert encode(read) == encode(entry)
    assert (read.log, read.src, read.actor, read.ref, read.payload) == (
        entry.log,
        entry.src,
        entry.actor,
        entry.ref,
        entry.payload,
    )


@given(entry=entries, data=st.data())
def test_no_other_bytes_read_as_the_same_entry(entry: Entry, data: st.DataObject) -> None:
    written = encode(entry)
    at = data.draw(st.integers(0, len(written)))
    until = data.draw(st.integers(at, min(len(written), at + 8)))
    changed = written[:at] + data.draw(st.binary(max_size=8)) + written[until:]
    assume(changed != written)
    try:
        read = parse(changed)
    except EntryError:
        return
    assert encode(read) == changed


@given(said=facts, float_=st.floats(allow_nan=False, allow_infinity=False), data=st.data())
def test_a_float_anywhere_in_the_facts_is_refused(said: Any, float_: float, data: st.DataObject) -> None:
    """However deep it stands, and whatever texts look like one."""
    depth = data.draw(st.integers(0, 4))
    inner: Any = float_
    for _ in range(depth):
        inner = data.draw(st.sampled_from([[inner], {"in": inner}, [1, "2.5", inner, {}]]))
    written = msgspec.json.encode({**said, "x": inner})
    with pytest.raises(EntryError, match=r"floating-point|lawful"):
        parse(body(written))


@pytest.mark.parametrize("text", ["1.5", ":1.5", ",-2e9", "[3E1", '{"a":1.5}', "\\", '"'])
def test_texts_that_look_like_numbers_are_texts(text: str) -> None:
    assert parse(body(msgspec.json.encode({"x": text, "y": [text]})))


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"[]",
        body(b"{}")[:-1],
        body(b"{} "),
        body(b'{"a":1,"a":2}'),
        body(b'{"a": 1}'),
        body(b'{"a":"\\u0061"}'),
        body(b'{"a":1e0}'),
        body(b'{"a":"\xff"}'),
        body(b"{}").replace(b'"v":1,"log":"l"', b'"log":"l","v":1'),
        body(b"{}").replace(b'"k"', b'"k","kind":"k"'),
        body(b"{}").replace(b'"k"', b'"k","more":1'),
        body(b"{}").replace(b'"k"', b'"k","actor":null'),
        body(b"{}").replace(b'"seq":0', b'"seq":"0"'),
        body(b"{}").replace(b'"seq":0', b'"seq":00'),
        b" " + body(b"{}"),
    ],
)
def test_any_other_form_is_refused(written: bytes) -> None:
    with pytest.raises(EntryError):
        parse(written)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_facts_reads_back_the_same(value: float) -> None:
    told = number(value)
    assert told is not None
    assert float(told) == value


def test_no_number_is_none() -> None:
    assert number(None) is None
