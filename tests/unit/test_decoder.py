import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record import MemoryRecords

from consumers.compression import CompressionError, unpack
from consumers.decoder import Batch, Decoder, Fault, frames
from consumers.records import Record
from tests.unit.batches import (
    ATTRIBUTES_AT,
    CODECS,
    Row,
    batch,
    marker,
    resealed,
    values,
)

pytestmark = pytest.mark.unit

KILOBYTES = st.one_of(st.binary(max_size=200), st.integers(60, 20_000).map(lambda size: b"x" * size))
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**45),
        st.none() | st.binary(max_size=80),
        st.none() | KILOBYTES,
        st.lists(st.tuples(st.text(max_size=70), st.none() | st.binary(max_size=80)), max_size=4),
    ),
    min_size=1,
    max_size=90,
)


def theirs(raw: bytes) -> list[Record]:
    return [
        (record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
        for each in MemoryRecords(raw)
        for record in each
    ]


def ours(raw: bytes, from_offset: int = 0) -> list[Record]:
    found = Decoder().decode(raw, from_offset)
    assert all(isinstance(each, Batch) for each in found)
    return [record for each in found if isinstance(each, Batch) for record in each.records]


def only_fault(raw: bytes) -> Fault:
    (fault,) = Decoder().decode(raw, 0)
    assert isinstance(fault, Fault)
    return fault


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, codec=st.sampled_from(list(CODECS)), base=st.integers(0, 2**62))
def test_it_decodes_what_kafka_python_decodes(rows: list[Row], codec: str, base: int) -> None:
    raw = batch(rows, base=base, codec=codec)
    assert ours(raw) == theirs(raw)


@settings(max_examples=300, deadline=None)
@given(
    rows=ROWS,
    codec=st.sampled_from(list(CODECS)),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6),
    reseal=st.booleans(),
)
def test_changed_bytes_end_in_values_and_never_in_an_exception(
    *, rows: list[Row], codec: str, changes: list[tuple[int, int]], reseal: bool
) -> None:
    data = bytearray(batch(rows[:20], codec=codec))
    for place, byte in changes:
        data[place % len(data)] = byte
    raw = resealed(bytes(data)) if reseal else bytes(data)
    found = Decoder(limit_bytes=1 << 20).decode(raw, 0)
    assert found
    untrusted = [each for each in found if isinstance(each, Fault) and not each.crc_ok]
    assert untrusted in ([], found[-1:])


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=400), from_offset=st.integers(0, 2**62))
def test_noise_ends_in_one_fault(raw: bytes, from_offset: int) -> None:
    found = Decoder().decode(raw, from_offset)
    assert len(found) == bool(raw)
    assert all(isinstance(each, Fault) and each.raw == raw for each in found)


def test_a_batch_says_where_it_lies_and_how_it_was_written() -> None:
    raw = batch(values(b"a" * 900, b"b", b"c"), base=70, codec="zstd", epoch=4, producer_id=9)
    (found,) = Decoder().decode(raw, 0)
    assert isinstance(found, Batch)
    assert (found.base_offset, found.last_offset, found.leader_epoch) == (70, 72, 4)
    assert (found.compression, found.producer_id) == ("zstd", 9)
    assert [found.is_control, found.is_transactional, found.is_aborted] == [False] * 3


def test_records_before_the_wanted_offset_are_left_out() -> None:
    raw = batch(values(b"a", b"b", b"c"), base=70)
    (found,) = Decoder().decode(raw, 71)
    assert isinstance(found, Batch)
    assert [record[0] for record in found.records] == [71, 72]
    assert found.base_offset == 70


def test_log_append_time_is_every_records_time() -> None:
    data = bytearray(batch(values(b"a", b"b")))
    struct.pack_into(">h", data, ATTRIBUTES_AT, 0x08)
    struct.pack_into(">q", data, 35, 1234)
    assert [record[1] for record in ours(resealed(bytes(data)))] == [1234, 1234]


def test_header_names_that_are_not_utf8_are_kept() -> None:
    raw = batch([(0, None, b"v", [("name", b"x")])])
    changed = resealed(raw.replace(b"name", b"n\xff\xfee"))
    ((*_, headers),) = ours(changed)
    assert headers == (("n\udcff\udcfee", b"x"),)
    assert headers[0][0].encode("utf-8", "surrogateescape") == b"n\xff\xfee"


def test_a_batch_cut_by_the_end_of_the_fetch_is_left_for_the_next() -> None:
    first, second = batch(values(b"a")), batch(values(b"b"), base=1)
    for length in (1, 40, len(second) - 1):
        found = Decoder().decode(first + second[:length], 0)
        assert [each.last_offset for each in found] == [0]


def test_a_wrong_checksum_ends_the_walk_with_the_raw_bytes() -> None:
    good, next_ = batch(values(b"good")), batch(values(b"next"), base=2)
    data = bytearray(batch(values(b"bad"), base=1))
    data[-2] ^= 1
    found = Decoder().decode(good + bytes(data) + next_, 0)
    assert [type(each) for each in found] == [Batch, Fault]
    fault = found[1]
    assert isinstance(fault, Fault)
    assert (fault.base_offset, fault.crc_ok, fault.raw) == (1, False, bytes(data))
    assert "CRC-32C" in fault.reason


def test_records_that_do_not_fit_their_batch_are_a_trusted_fault_and_the_walk_goes_on() -> None:
    data = bytearray(batch(values(b"bad"), base=1))
    data[-1] = 0x7F
    broken = resealed(bytes(data))
    found = Decoder().decode(batch(values(b"a")) + broken + batch(values(b"b"), base=2), 0)
    assert [type(each) for each in found] == [Batch, Fault, Batch]
    fault = found[1]
    assert isinstance(fault, Fault)
    assert (fault.base_offset, fault.last_offset, fault.crc_ok, fault.raw) == (1, 1, True, broken)


@pytest.mark.parametrize(
    ("place", "form", "value", "said"),
    [
        (16, ">b", 1, "message format 1"),
        (8, ">i", 10, "length 10"),
        (23, ">i", -5, "delta -5"),
    ],
)
def test_a_header_that_makes_no_sense_is_named(place: int, form: str, value: int, said: str) -> None:
    data = bytearray(batch(values(b"a"), base=3))
    struct.pack_into(form, data, place, value)
    fault = only_fault(resealed(bytes(data)))
    assert said in fault.reason
    assert (fault.base_offset, fault.crc_ok) == (3, False)


def test_an_unknown_codec_is_a_trusted_fault() -> None:
    data = bytearray(batch(values(b"a")))
    struct.pack_into(">h", data, ATTRIBUTES_AT, 0x06)
    fault = only_fault(resealed(bytes(data)))
    assert fault.crc_ok
    assert "compression type 6" in fault.reason


def test_offsets_that_do_not_rise_are_a_trusted_fault() -> None:
    raw = batch(values(b"a", b"b"))
    again = resealed(raw.replace(b"\x02\x02\x01\x02b", b"\x02\x00\x01\x02b"))
    assert again != raw
    assert "offset 0 stands behind 0" in only_fault(again).reason


def test_aborted_transactions_are_walked_without_records() -> None:
    raw = b"".join(
        [
            batch(values(b"keep"), base=0, producer_id=1, transactional=True),
            batch(values(b"drop", b"drop"), base=1, producer_id=2, transactional=True),
            batch(values(b"plain"), base=3, producer_id=2),
            marker(base=4, producer_id=2, commit=False),
            batch(values(b"after"), base=5, producer_id=2, transactional=True),
            marker(base=6, producer_id=1, commit=True),
        ]
    )
    found = [each for each in Decoder([(2, 1)]).decode(raw, 0) if isinstance(each, Batch)]
    assert [[record[3] for record in each.records] for each in found] == [
        [b"keep"],
        [],
        [b"plain"],
        [],
        [b"after"],
        [],
    ]
    assert [each.is_aborted for each in found] == [False, True, False, False, False, False]
    assert [each.is_control for each in found] == [False, False, False, True, False, True]
    assert [each.base_offset for each in found] == [0, 1, 3, 4, 5, 6]


def test_what_was_aborted_is_remembered_between_parts_of_one_answer() -> None:
    first = batch(values(b"drop"), base=0, producer_id=2, transactional=True)
    second = batch(values(b"drop too"), base=1, producer_id=2, transactional=True)
    decoder = Decoder([(2, 0)])
    assert [each.last_offset for each in decoder.decode(first, 0)] == [0]
    (later,) = decoder.decode(second, 1)
    assert isinstance(later, Batch)
    assert later.is_aborted


def test_frames_tell_the_number_of_records_without_decoding() -> None:
    raw = batch(values(b"a", b"b"), codec="lz4") + batch(values(b"c"), base=2)
    assert [(each.base_offset, each.last_offset, each.records) for each in frames(raw)] == [
        (0, 1, 2),
        (2, 2, 1),
    ]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_that_unpacks_to_more_than_the_limit_is_a_fault(codec: str) -> None:
    raw = batch(values(b"0" * 300_000), codec=codec)
    (found,) = Decoder(limit_bytes=100_000).decode(raw, 0)
    assert isinstance(found, Fault)
    assert found.crc_ok
    assert "100000" in found.reason or "limit" in found.reason


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=120))
def test_noise_does_not_unpack(codec: str, data: bytes) -> None:
    with suppress(CompressionError):
        assert len(unpack(CODECS[codec], data, 10_000)) <= 10_000
