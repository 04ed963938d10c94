from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.domain.moments import microseconds, moment, uuid7

pytestmark = pytest.mark.unit

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants naive bounds
RANDOM = st.binary(min_size=10, max_size=10)


@given(MOMENTS)
def test_a_moment_survives_as_microseconds(at: datetime) -> None:
    assert moment(microseconds(at)) == at


@given(MOMENTS, RANDOM)
def test_an_id_is_a_uuid_of_version_7_that_holds_its_millisecond(at: datetime, random: bytes) -> None:
    made = uuid7(at, random)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == microseconds(at) // 1000


@given(MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_time(at: datetime, first: bytes, second: bytes) -> None:
    assert uuid7(at, first) < uuid7(at + timedelta(milliseconds=1), second)


@given(MOMENTS, RANDOM, RANDOM)
def test_other_random_bytes_make_another_id(at: datetime, first: bytes, second: bytes) -> None:
    used = int.from_bytes(first) % 2**74 == int.from_bytes(second) % 2**74
    assert (uuid7(at, first) == uuid7(at, second)) == used
