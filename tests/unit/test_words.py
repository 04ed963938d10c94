"""Times, ages, counts and shares are said the same way everywhere."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.console import words
from reviewsvc.domain.shares import percent

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 14, 32, tzinfo=UTC)


def plain(said: str) -> str:
    return said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=7), "7 s"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=3, hours=1, minutes=9), "3 d 1 h"),
        (timedelta(seconds=-1), "0 s"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(length: timedelta, said: str) -> None:
    assert plain(words.span(length)) == said


def test_a_due_time_says_what_is_left_or_how_late_it_is() -> None:
    assert plain(words.until(NOW + timedelta(minutes=5), NOW)) == "5 min left"
    assert plain(words.until(NOW - timedelta(minutes=5), NOW)) == "5 min overdue"
    assert words.until(None, NOW) == "no due time"


def test_a_moment_is_said_in_the_readers_zone() -> None:
    zone = timezone(timedelta(hours=12), "NZST")
    assert plain(words.clock(NOW, NOW)) == "14:32 UTC"
    assert plain(words.clock(NOW, NOW.astimezone(zone))) == "02:32 NZST"
    assert plain(words.clock(NOW - timedelta(days=1), NOW)) == "20 Nov 14:32 UTC"
    assert plain(words.clock(NOW - timedelta(days=365), NOW)) == "21 Nov 2025 14:32 UTC"


def test_a_moment_that_is_evidence_is_said_with_date_second_and_zone() -> None:
    zone = timezone(timedelta(hours=12), "NZST")
    assert plain(words.stamp(NOW, NOW)) == "2026-11-21 14:32:00 UTC"
    assert plain(words.stamp(NOW, NOW.astimezone(zone))) == "2026-11-22 02:32:00 NZST"
    assert words.stamp(None, NOW) == "\N{EN DASH}"


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_an_uncertain_share_is_never_said_as_certain(share: float) -> None:
    assert plain(percent(share)) not in {"0 %", "100 %"}


def test_the_ends_of_a_share_are_said_plainly() -> None:
    assert [plain(percent(share)) for share in (0.0, 1.0, 0.734)] == ["0 %", "100 %", "73 %"]
    assert plain(percent(0.9999, 1)) == "> 99.9 %"


@pytest.mark.parametrize(("octets", "said"), [(999, "999 B"), (1043, "1.0 kB"), (10_200_000, "10.2 MB")])
def test_a_size_is_said_in_its_unit(octets: int, said: str) -> None:
    assert plain(words.size(octets)) == said
