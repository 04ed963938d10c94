from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.record import MemoryRecords

from consumers.decoder import Batch, Fault
from consumers.undecoded import Undecoded
from tests.unit.batches import batch, marker, values

pytestmark = pytest.mark.unit

PARTITION = TopicPartition("t", 0)


def taken(raw: bytes, budget: int, aborted: list[tuple[int, int]] | None = None) -> list[list[Batch | Fault]]:
    """What a record set gives when each take may spend so many records."""
    left = [0]

    def spend(records: int) -> bool:
        left[0] -= records
        return left[0] <= 0

    drained: list[Undecoded] = []
    part = _undecoded(raw, spend, drained.append, aborted or [])
    found = []
    while part:
        left[0] = budget
        for chunk in part.take(1):
            assert chunk.from_offset <= chunk.next_offset == part.next_fetch_offset
            found.append(chunk.decoder.decode(chunk.raw, chunk.from_offset))
    assert drained == [part]
    return found


def _undecoded(
    raw: bytes,
    spend: Callable[[int], bool],
    on_drain: Callable[[Undecoded], None],
    aborted: list[tuple[int, int]],
) -> Undecoded:
    answered = [SimpleNamespace(producer_id=who, first_offset=first) for who, first in aborted]
    return Undecoded(
        spend, 0, PARTITION, MemoryRecords(raw), aborted_transactions=answered, on_drain=on_drain
    )


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    budget=st.integers(1, 20),
    cut=st.integers(0, 200),
)
def test_whole_batches_come_in_takes_of_about_the_budget(sizes: list[int], budget: int, cut: int) -> None:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    raw = b"".join(batch(values(*[b"v"] * size), base=base) for size, base in zip(sizes, starts, strict=True))
    tail = batch(values(b"the next answer brings it whole", b"x" * 200), base=sum(sizes))[:cut]
    takes = taken(raw + tail, budget)
    assert [each.last_offset + 1 for take in takes for each in take] == [*starts[1:], sum(sizes)]
    assert all(
        sum(len(each.records) for each in take if isinstance(each, Batch)) < budget + 6 for take in takes
    )


def test_an_answer_that_holds_no_whole_batch_is_a_fault() -> None:
    ((fault,),) = taken(batch(values(b"a"))[:-1], 10)
    assert isinstance(fault, Fault)
    assert not fault.crc_ok


def test_what_is_no_batch_behind_good_ones_is_a_fault_in_either_take() -> None:
    strange = bytearray(batch(values(b"b"), base=1))
    strange[16] = 1
    for budget in (1, 100):
        found = [each for take in taken(batch(values(b"a")) + bytes(strange), budget) for each in take]
        assert [type(each) for each in found] == [Batch, Fault]


def test_an_empty_answer_gives_nothing() -> None:
    assert taken(b"", 10) == []


def test_an_abort_is_remembered_over_takes() -> None:
    raw = b"".join(
        [
            batch(values(b"drop"), base=0, producer_id=2, transactional=True),
            batch(values(b"drop too"), base=1, producer_id=2, transactional=True),
            marker(base=2, producer_id=2, commit=False),
            batch(values(b"keep"), base=3, producer_id=2, transactional=True),
        ]
    )
    found = [each for take in taken(raw, 1, [(2, 0)]) for each in take]
    assert [each.is_aborted for each in found if isinstance(each, Batch)] == [True, True, False, False]
