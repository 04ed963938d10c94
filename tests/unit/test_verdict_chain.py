"""The chain of a log, over its bytes alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.chain import Chain
from reviewsvc.domain.entries import ZERO_HASH, leaf_hash
from reviewsvc.domain.verdict import (
    EXIT_CODES,
    MOST_FINDINGS,
    Finding,
    Findings,
    LogReport,
    Report,
    Verdict,
    worst,
)

pytestmark = pytest.mark.unit

Rows = list[tuple[int, bytes]]


def log(size: int, *, name: str = "activity/0/0", times: list[int] | None = None) -> Rows:
    rows: Rows = []
    last = ZERO_HASH
    for seq in range(size):
        at = times[seq] if times else 1_000 + seq // 2
        start = f'{{"v":1,"log":"here/{name}","seq":{seq},"prev":"{last.hex()}","at":{at},'
        body = f'{start}"kind":"access","facts":{{"why":"{seq}"}}}}'.encode()
        rows.append((seq, body))
        last = leaf_hash(body)
    return rows


def checked(rows: Rows, *chunks: int, head: Rows | None = None) -> list[tuple[int, str]]:
    """What a chain finds in rows that come in chunks of these lengths, under the head of other rows."""
    findings = Findings("activity/0/0")
    chain = Chain("here", findings)
    begin = 0
    for length in (*chunks, len(rows)):
        chain.follow(rows[begin : begin + length])
        begin += length
    whole = rows if head is None else head
    at = int(whole[-1][1].partition(b'"at":')[2].partition(b",")[0])
    chain.end(len(whole), leaf_hash(whole[-1][1]), at)
    return [(finding.seq, finding.what) for finding in findings.in_order()]


sizes = st.integers(1, 30)


@given(size=sizes, chunks=st.lists(st.integers(0, 12), max_size=5))
def test_a_log_as_it_was_written_holds_however_it_is_read(size: int, chunks: list[int]) -> None:
    assert checked(log(size), *chunks) == []


@given(data=st.data(), size=sizes)
def test_a_changed_byte_is_found_at_its_entry_and_nowhere_but_beside_it(data: Any, size: int) -> None:
    rows = log(size)
    seq = data.draw(st.integers(0, size - 1))
    body = bytearray(rows[seq][1])
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    changed = [*rows[:seq], (seq, bytes(body)), *rows[seq + 1 :]]
    found = [at for at, _ in checked(changed, head=rows)]
    assert seq in found
    assert set(found) <= {max(0, seq - 1), seq, seq + 1}


@given(data=st.data(), size=st.integers(2, 30))
def test_entries_that_are_gone_are_missing_from_the_first_of_them_on(data: Any, size: int) -> None:
    rows = log(size)
    first = data.draw(st.integers(0, size - 1))
    count = data.draw(st.integers(1, size - first))
    found = checked([*rows[:first], *rows[first + count :]], head=rows)
    (place, what), *more = found
    assert (place, more) == (first, [])
    one = f"entry {first} is missing" if count == 1 else f"entries {first} to {first + count - 1} are missing"
    assert what.startswith(one)


@given(data=st.data(), size=sizes)
def test_an_entry_stored_again_is_found(data: Any, size: int) -> None:
    rows = log(size)
    seq = data.draw(st.integers(0, size - 1))
    twice = [*rows[: seq + 1], *rows[seq:]]
    assert (seq, "it is stored twice, or before the log's first entry") in checked(twice)


def test_an_entry_of_another_log_in_this_place_is_found() -> None:
    rows = log(3)
    found = checked([rows[0], log(3, name="activity/1/0")[1], rows[2]])
    assert found[0] == (1, "its bytes do not begin as an entry of this log")


def test_a_log_forged_under_another_name_is_no_log_of_this_one() -> None:
    found = checked(log(3, name="activity/1/0"))
    assert {what for _, what in found} == {"its bytes do not begin as an entry of this log"}


def test_an_entry_in_anothers_place_carries_another_seq() -> None:
    rows = log(3)
    assert checked([rows[0], (1, rows[2][1]), rows[2]])[0][1].startswith("its bytes carry another seq")


def test_both_hashes_are_told_where_a_link_does_not_hold() -> None:
    rows = log(3)
    forged = rows[1][1].replace(b'"why":"1"', b'"why":"7"')
    now, carried = leaf_hash(forged).hex(), leaf_hash(rows[1][1]).hex()
    told = f"the hash of its bytes is {now}, the entry behind it carries {carried}"
    assert checked([rows[0], (1, forged), rows[2]]) == [(1, told)]


def test_the_first_entry_follows_on_nothing() -> None:
    rows = log(2)
    forged = rows[0][1].replace(b'"prev":"00', b'"prev":"11')
    told = checked([(0, forged), rows[1]])
    assert told[0] == (0, f"the first entry's prev is 11{'0' * 62}, not 64 zeros")


def test_time_may_stand_still_and_never_fall() -> None:
    assert checked(log(3, times=[5, 5, 6])) == []
    assert checked(log(4, times=[5, 7, 6, 7])) == [(2, "its time 6 is before the time 7 of the entry before")]


@pytest.mark.parametrize("time", [b"", b"x", b"-5", b"9" * 5_000, b'"5"', b"1.5"])
def test_a_time_that_is_none_is_found(time: bytes) -> None:
    rows = log(1)
    body = rows[0][1].replace(b'"at":1000,', b'"at":' + time + b",")
    findings = Findings("activity/0/0")
    Chain("here", findings).follow([(0, body)])
    assert [finding.seq for finding in findings.found] == [0]


@pytest.mark.parametrize(
    ("head", "seq", "told"),
    [
        ((4, b"", 0), 3, "entry 3 is missing: the head counts 4"),
        ((5, b"", 0), 3, "entries 3 to 4 are missing: the head counts 5"),
        ((2, b"", 0), 2, "the head counts 2 entries, 3 are stored"),
        ((3, bytes(32), 1_001), 2, f"the head carries {'00' * 32}"),
        ((3, leaf_hash(log(3)[2][1]), 7), 2, "its time is 1001, the head carries 7"),
    ],
)
def test_the_head_must_say_what_is_stored(head: tuple[int, bytes, int], seq: int, told: str) -> None:
    findings = Findings("activity/0/0")
    chain = Chain("here", findings)
    chain.follow(log(3))
    chain.end(*head)
    (found,) = findings.found
    assert (found.seq, told in found.what) == (seq, True)


def test_a_log_without_a_first_entry_is_none() -> None:
    findings = Findings("activity/0/0")
    Chain("here", findings).end(0, ZERO_HASH, 0)
    assert [finding.what for finding in findings.found] == ["it has no first entry"]


def test_beyond_a_hundred_findings_only_their_count_grows() -> None:
    findings = Findings("root/0")
    for seq in range(MOST_FINDINGS + 7):
        findings.note(-seq, "wrong")
    assert (len(findings.found), findings.more) == (MOST_FINDINGS, 7)
    assert findings.in_order()[0].seq == 1 - MOST_FINDINGS


def test_the_whole_is_as_bad_as_its_worst_part_and_has_its_exit_code() -> None:
    parts = [Finding("a", 1, "", verdict) for verdict in Verdict]
    assert [worst(parts[:count]) for count in range(5)] == [Verdict.VERIFIED, *Verdict]
    assert [EXIT_CODES[verdict] for verdict in Verdict] == [0, 2, 2, 1]
    report = Report(Verdict.TAMPERED, [], [LogReport("a", 1, "", parts[:2]), LogReport("b", 0, "")], 1, 0.1)
    assert report.findings == parts[:2]
