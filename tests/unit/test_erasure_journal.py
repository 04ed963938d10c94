"""The erasure journal: what was said stays said, and what was cut off is told."""

import os
from pathlib import Path

import pytest

from reviewsvc.outside.erasure_journal import ErasureJournal, JournalError, Line, TornJournalError

pytestmark = pytest.mark.unit

KEY = "00" * 16


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    journal = ErasureJournal(tmp_path / "deep" / "erasures")
    assert journal.read() == []
    journal.append("first", [KEY], 1)
    ErasureJournal(journal.path).append("second", [KEY, "11" * 16], 2)
    assert journal.read() == [Line(1, 1, "first", [KEY]), Line(1, 2, "second", [KEY, "11" * 16])]
    assert journal.path.stat().st_mode & 0o077 == 0


def test_a_torn_last_line_is_told_and_the_next_append_takes_its_place(tmp_path: Path) -> None:
    journal = ErasureJournal(tmp_path / "erasures")
    journal.append("first", [KEY], 1)
    with journal.path.open("ab") as file:
        file.write(b'{"v":1,"at":2,"era' + b"x" * 5000)
    with pytest.raises(TornJournalError, match=r"line 2 .* lacks its end") as told:
        journal.read()
    assert [line.erasure for line in told.value.lines] == ["first"]
    journal.append("second", [KEY], 3)
    assert [line.erasure for line in journal.read()] == ["first", "second"]


@pytest.mark.parametrize(
    "line", [b"{}", b"", b'{"v":2,"at":1,"erasure":"a","keys":["' + KEY.encode() + b'"]}', b"\xff"]
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    journal = ErasureJournal(tmp_path / "erasures")
    journal.append("first", [KEY], 1)
    journal.path.write_bytes(journal.path.read_bytes() + line + b"\n")
    with pytest.raises(JournalError, match=r"line 2 .* is damaged"):
        journal.read()


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "erasures")  # noqa: PTH102 - a folder where the file should be
    with pytest.raises(JournalError, match="nothing is erased"):
        ErasureJournal(tmp_path / "erasures").append("first", [KEY], 1)
