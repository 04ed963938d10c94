"""A web process that starts before its database waits for it, for a while."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from reviewsvc.app import when_there
from reviewsvc.usecases.installation import Installation

pytestmark = pytest.mark.unit

FOUND = Installation("test.example", datetime(2026, 11, 21, tzinfo=UTC), (1,), 2)


def away_for(tries: int) -> Callable[[], Installation]:
    left = iter(range(tries))

    def opens() -> Installation:
        for _ in left:
            raise OperationalError("connect", {}, Exception("connection refused\nis it running?"))
        return FOUND

    return opens


def test_it_waits_a_second_between_tries_until_the_database_is_there() -> None:
    paused: list[float] = []
    assert when_there(away_for(3), pause=paused.append) is FOUND
    assert paused == [1, 1, 1]


def test_it_gives_up_in_the_end() -> None:
    paused: list[float] = []
    with pytest.raises(OperationalError):
        when_there(away_for(9), tries=4, pause=paused.append)
    assert len(paused) == 3
