"""Members come and go while events flow: partitions move, records are neither lost nor captured twice."""

import time
from collections.abc import Callable

import pytest

from tests.faults.flow import Flow, whole
from tests.faults.victims import Victim, is_ready
from tests.fixtures.capturing import Capturing
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real


def test_two_then_three_then_one_member_capture_everything_once(
    capturing: Callable[..., Capturing], make_victim: Callable[..., Victim]
) -> None:
    flow = Flow(capturing(3), count=6000, seconds=10)
    members = [make_victim(f"capture-{number}") for number in range(3)]
    for member in members[:2]:
        member.start()
    assert all(map(is_ready, members[:2]))
    with flow:
        assert eventually(lambda: all(holds(member) for member in members[:2]), seconds=60)
        members[2].start()
        assert eventually(lambda: all(map(holds, members)), seconds=60), "each has one"
        assert members[0].stop() == 0
        assert members[1].stop() == 0
        assert eventually(lambda: members[2].metric("reviewsvc_capture_partitions") == 3, seconds=60)
        time.sleep(1)
    assert flow.is_captured()
    assert {**flow.sum(), "seconds": 0} == {**whole(flow.sent), "seconds": 0}
    assert is_ready(members[2])


def holds(member: Victim) -> bool:
    return bool(member.metric("reviewsvc_capture_partitions"))
