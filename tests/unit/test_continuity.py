from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.continuity import follow
from consumers.decoder import Batch, Fault

pytestmark = pytest.mark.unit


def batch(first: int, last: int, *, epoch: int = 0) -> Batch:
    return Batch(first, last, epoch, -1, False, False, False, "none", [])  # noqa: FBT003 - positions of the value


@given(sizes=st.lists(st.integers(1, 5), max_size=8), start=st.integers(0, 30), hole=st.integers(0, 10))
def test_batches_are_kept_up_to_the_first_hole(sizes: list[int], start: int, hole: int) -> None:
    batches, at = [], 0
    for index, size in enumerate(sizes):
        at += 3 if index == hole else 0
        batches.append(batch(at, at + size - 1))
        at += size
    followed = follow(start, 0, batches)
    walked = [number for each in followed.batches for number in range(each.base_offset, each.last_offset + 1)]
    assert walked == sorted(set(walked))
    assert all(second == first + 1 for first, second in pairwise(walked))
    assert followed.next_offset == max([start, *(number + 1 for number in walked)])
    if followed.jumped_to is not None:
        assert followed.jumped_to > followed.next_offset


def test_what_is_older_is_dropped_and_the_first_may_begin_before_the_place() -> None:
    batches = [batch(0, 4), batch(5, 9), batch(10, 12)]
    followed = follow(7, 0, batches)
    assert followed.batches == batches[1:]
    assert (followed.next_offset, followed.jumped_to) == (13, None)


def test_a_hole_at_the_place_itself_is_a_jump() -> None:
    followed = follow(7, 0, [batch(8, 9)])
    assert followed == ([], 7, 8, None)


def test_batches_that_overlap_are_a_jump() -> None:
    assert follow(0, 0, [batch(0, 4), batch(3, 6)]).jumped_to == 3


def test_an_untrusted_batch_ends_the_walk_and_a_trusted_fault_does_not() -> None:
    untrusted = Fault(5, 9, 0, crc_ok=False, reason="", raw=b"")
    trusted = Fault(5, 9, 0, crc_ok=True, reason="", raw=b"")
    assert follow(0, 0, [batch(0, 4), untrusted]) == ([batch(0, 4)], 5, None, None)
    assert follow(0, 0, [batch(0, 4), trusted, batch(10, 10)]).next_offset == 11


def test_a_leader_epoch_that_rises_is_told() -> None:
    batches = [batch(0, 1, epoch=3), batch(2, 3, epoch=4), batch(4, 5, epoch=6)]
    assert follow(0, 3, batches).raised_epoch == 4
    assert follow(0, 6, batches).raised_epoch is None
