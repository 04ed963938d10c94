"""What is away is said once, and readiness hears of it when it lasts."""

import pytest
from kafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from consumers.broker import TopicError
from consumers.trouble import DATABASE, KAFKA, TOPIC, Troubles, whose

pytestmark = pytest.mark.unit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_way_is_one_line_however_often_it_fails() -> None:
    clock = Clock()
    troubles = Troubles(clock)
    with capture_logs() as said:
        for _ in range(3):
            troubles.met(DATABASE, "connection refused")
            clock.now += 30
        assert troubles.over(DATABASE)
        assert not troubles.over(DATABASE)
    assert [(line["event"], line.get("seconds")) for line in said] == [
        ("the database is away", None),
        ("the database is back", 90.0),
    ]


def test_another_reason_is_news_but_does_not_begin_anew() -> None:
    clock = Clock()
    troubles = Troubles(clock)
    with capture_logs() as said:
        troubles.met(KAFKA, "refused")
        clock.now += 70
        troubles.met(KAFKA, "no broker answers")
    assert [line["reason"] for line in said] == ["refused", "no broker answers"]
    assert troubles.reasons(60) == ["kafka has been away for 70 s: no broker answers"]
    assert troubles.last(KAFKA) == 170.0


def test_readiness_hears_of_it_only_when_it_lasts() -> None:
    clock = Clock()
    troubles = Troubles(clock)
    troubles.met(DATABASE, "refused")
    clock.now += 60
    assert troubles.reasons(60) == []
    clock.now += 1
    assert len(troubles.reasons(60)) == 1


def test_a_topic_that_is_not_as_it_must_be_is_not_kafkas_fault() -> None:
    assert whose(TopicError("it is compacted")) == TOPIC
    assert whose(KafkaConnectionError("refused")) == KAFKA
