"""Producers' transactions: what was aborted is passed over and counted, what stays open is told."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from consumers import broker
from reviewsvc.domain.verdict import Verdict
from tests.faults.victims import Victim, is_ready
from tests.fixtures.capturing import PATIENCE_SECONDS, Capturing, event
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real

Make = Callable[..., Capturing]
MakeVictim = Callable[..., Victim]


@pytest.fixture
def made(capturing: Make) -> Capturing:
    return capturing(1)


@pytest.fixture
def producer(made: Capturing) -> Iterator[KafkaProducer]:
    one = broker.producer(made.kafka, client_id="test", transactional_id=made.topic)
    one.init_transactions()
    yield one
    one.close(timeout=PATIENCE_SECONDS)


def send(producer: KafkaProducer, made: Capturing, numbers: range) -> None:
    producer.begin_transaction()
    for number in numbers:
        producer.send(made.topic, _bytes(event(number)), partition=0)
    producer.flush(timeout=PATIENCE_SECONDS)


def _bytes(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value)


def is_captured(made: Capturing, offset: int) -> bool:
    return eventually(lambda: made.offsets() == offset, seconds=60)


def skipped(made: Capturing) -> list[tuple[int, int]]:
    """Offset and passed-over offsets of every prediction, in order."""
    rows = made.rows(
        "SELECT (convert_from(e.body, 'UTF8')::json #>> '{src,offset}')::int, "
        "(convert_from(e.body, 'UTF8')::json #>> '{src,skipped}')::int "
        "FROM entry e JOIN log l USING (log_id) WHERE l.topic = %s AND e.seq > 0 ORDER BY e.seq",
        made.topic,
    )
    return [(offset, passed) for offset, passed in rows]


def test_every_offset_is_a_record_or_counted_over_idle_times_and_restarts(
    made: Capturing, producer: KafkaProducer, make_victim: MakeVictim
) -> None:
    victim = make_victim()
    victim.start()
    send(producer, made, range(2))
    producer.commit_transaction()
    send(producer, made, range(2, 5))
    producer.abort_transaction()
    # Offsets 0 and 1, a marker, three aborted, a marker: stored although no record follows them.
    assert is_captured(made, 7)
    assert victim.stop() == 0
    victim.start()
    assert is_ready(victim)
    send(producer, made, range(5, 6))
    producer.commit_transaction()
    assert is_captured(made, 9)
    victim.kill()
    send(producer, made, range(6, 8))
    producer.abort_transaction()
    made.send([event(8)])
    victim.start()
    assert is_captured(made, 13)
    assert skipped(made) == [(0, 0), (1, 0), (7, 5), (12, 4)]
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])


def test_a_transaction_that_stays_open_is_told_and_what_it_held_back_is_captured_when_it_ends(
    made: Capturing, producer: KafkaProducer, make_victim: MakeVictim
) -> None:
    victim = make_victim(look=0.5, hanging=1.0)
    victim.start()
    send(producer, made, range(1))
    made.send([event(number) for number in range(1, 4)])
    place = {"topic": made.topic, "partition": "0"}
    told = "a transaction stays open and holds back what came after it"
    assert eventually(lambda: bool(victim.lines(told)), seconds=60)
    assert victim.lines(told)[0]["stable_offset"] == 0
    assert victim.metric("reviewsvc_capture_held_back_offsets", **place) == 4
    assert made.offsets() == 0
    assert is_ready(victim), "it is the producer that hangs"
    producer.commit_transaction()
    assert is_captured(made, 5)
    assert eventually(lambda: victim.metric("reviewsvc_capture_held_back_offsets", **place) == 0)
    assert eventually(lambda: victim.metric("reviewsvc_capture_lag_offsets", **place) == 0)
    assert victim.lines("no longer held back")
    assert made.rows("SELECT count(*) FROM prediction") == [(4,)]


def test_what_capture_does_shows_in_its_metrics(made: Capturing, make_victim: MakeVictim) -> None:
    victim = make_victim(look=0.5)
    victim.start()
    unsure = event(3, output={"label": "approve", "confidence": 0.1})
    made.send([event(1), event(2), unsure, b"{broken"])
    assert is_captured(made, 4)
    events = "reviewsvc_captured_events_total"
    assert eventually(lambda: victim.metric(events, kind="prediction") == 3)
    assert victim.metric(events, kind="quarantine") == 1
    assert victim.metric("reviewsvc_routed_tasks_total") == 1
    assert victim.metric("reviewsvc_capture_partitions") == 1
    assert victim.metric("reviewsvc_capture_stopped_partitions") == 0
    assert (victim.metric("reviewsvc_capture_batch_seconds_count") or 0) >= 1
    assert (victim.metric("reviewsvc_capture_last_commit_timestamp_seconds") or 0) > 1.7e9
    place = {"topic": made.topic, "partition": "0"}
    assert eventually(lambda: victim.metric("reviewsvc_capture_lag_offsets", **place) == 0)
