"""Kafka does not go on from what is stored: that partition stops, until a person consents to the gap."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from consumers import broker
from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import gaps
from reviewsvc.usecases.keyring import Keyring
from tests.faults.victims import Victim, capture_command, is_ready
from tests.fixtures.capturing import Capturing, event
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real

Make = Callable[..., Capturing]
MakeVictim = Callable[..., Victim]
OPERATOR = Actor("cli", "operator")


@pytest.fixture
def consent(process_settings: Mapping[str, str]) -> Callable[..., None]:
    """Consents to a gap of a partition as the operator's command does."""

    def give(made: Capturing, partition: int = 0, to_offset: int | None = None) -> None:
        sessions = Sessions(process_settings["DATABASE_URL"], "web")
        keyring = Keyring(load_kek(Path(process_settings["REVIEWSVC_KEK_FILE"])))
        at = datetime.now(UTC)
        gaps.consent(sessions, keyring, made.topic, partition, to_offset=to_offset, actor=OPERATOR, at=at)
        sessions.close()

    return give


def delete_before(made: Capturing, offset: int, partition: int = 0) -> None:
    admin = broker.admin(made.kafka, client_id="test")
    admin.delete_records({TopicPartition(made.topic, partition): offset})
    admin.close()


def recreate(admin: KafkaAdminClient, made: Capturing, partitions: int) -> None:
    admin.delete_topics([made.topic])
    wanted = {made.topic: {"num_partitions": partitions, "replication_factor": 1}}
    assert eventually(lambda: _is_created(admin, wanted))


def _is_created(admin: KafkaAdminClient, wanted: dict[str, dict[str, int]]) -> bool:
    try:
        admin.create_topics(wanted, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False
    return True


def events(first: int, behind: int) -> list[bytes | dict[str, Any] | None]:
    return [event(number) for number in range(first, behind)]


def alarms(made: Capturing) -> list[tuple[Any, ...]]:
    return made.rows(
        "SELECT l.partition, a.detail->>'kind', a.consent->>'refused' FROM capture_alarm a "
        "JOIN log l USING (log_id) ORDER BY 1"
    )


def is_captured(made: Capturing, offset: int, partition: int = 0) -> bool:
    return eventually(lambda: made.offsets(partition) == offset, seconds=60)


def is_stopped(made: Capturing, victim: Victim, *, kind: str) -> bool:
    """Say whether partition 0 stops, in the table, in readiness and in the metric alike."""
    assert eventually(lambda: alarms(made) == [(0, kind, None)], seconds=60), alarms(made)
    place = f"{made.topic}/0: "
    assert eventually(lambda: [place in each for each in victim.reasons()] == [True]), victim.reasons()
    return eventually(lambda: victim.metric("reviewsvc_capture_stopped_partitions") == 1)


def ids(made: Capturing) -> list[str]:
    """The offsets of all predictions of partition 0, in the order of its log."""
    bodies = made.rows(
        "SELECT e.body FROM entry e JOIN log l USING (log_id) WHERE l.topic = %s AND l.partition = 0 "
        "ORDER BY e.seq",
        made.topic,
    )
    entries = [json.loads(body) for (body,) in bodies]
    return [f"{each['kind']} {each['src']['offset']}" if "src" in each else each["kind"] for each in entries]


def test_records_deleted_before_they_were_captured_stop_their_partition_until_someone_consents(
    capturing: Make, make_victim: MakeVictim, consent: Callable[..., None]
) -> None:
    made = capturing(2)
    victim = make_victim()
    victim.start()
    made.send(events(0, 3))
    assert is_captured(made, 3)
    assert victim.stop() == 0
    made.send(events(3, 9))
    delete_before(made, 6)
    victim.start()
    assert is_stopped(made, victim, kind="out_of_range")
    (line,) = victim.lines("partition stopped")
    assert line["level"] == "error"
    made.send(events(100, 105), partition=1)
    assert is_captured(made, 5, partition=1), "the other partition goes on"

    (since,) = made.rows("SELECT since FROM capture_alarm")
    assert victim.stop() == 0
    victim.start()
    assert is_stopped(made, victim, kind="out_of_range")
    assert made.rows("SELECT since FROM capture_alarm") == [since], "a restart is no news"

    consent(made, to_offset=40)
    assert eventually(lambda: bool(alarms(made)[0][2])), "offset 40 does not exist"
    consent(made)
    assert is_captured(made, 9)
    assert is_ready(victim)
    assert alarms(made) == []
    before = [f"prediction {offset}" for offset in range(3)]
    assert ids(made) == ["opened", *before, "gap", "prediction 6", "prediction 7", "prediction 8"]
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])


def test_a_topic_that_was_cut_short_goes_on_where_it_ended_by_consent(
    capturing: Make, make_victim: MakeVictim, consent: Callable[..., None]
) -> None:
    made = capturing(1)
    victim = make_victim()
    victim.start()
    made.send(events(0, 5))
    assert is_captured(made, 5)
    assert victim.stop() == 0
    # As if 45 more had been there, and then were not.
    made.change("UPDATE head SET next_offset = 50 WHERE next_offset = 5")
    victim.start()
    assert is_stopped(made, victim, kind="out_of_range")
    made.send(events(5, 60))
    consent(made)
    assert is_captured(made, 60)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(60, 60)]
    assert is_ready(victim)
    assert made.verified().findings == []


@pytest.mark.parametrize(
    "is_running",
    [pytest.param(True, id="running"), pytest.param(False, id="stopped", marks=pytest.mark.long)],
)
def test_a_topic_deleted_and_created_again_is_never_taken_for_the_old_one(
    capturing: Make,
    make_victim: MakeVictim,
    consent: Callable[..., None],
    kafka_admin: KafkaAdminClient,
    *,
    is_running: bool,
) -> None:
    made = capturing(1)
    victim = make_victim()
    victim.start()
    made.send(events(0, 5))
    assert is_captured(made, 5)
    if not is_running:
        victim.stop()
    recreate(kafka_admin, made, 1)
    made.send(events(10, 20))
    if not is_running:
        victim.start()
    assert is_stopped(made, victim, kind="recreated")
    assert made.rows("SELECT count(*) FROM prediction") == [(5,)]
    consent(made)
    assert is_captured(made, 10)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(15, 15)]
    assert is_ready(victim)
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])


def test_another_record_where_the_stored_one_was_stops_the_partition(
    capturing: Make, make_victim: MakeVictim, make_topic: Callable[..., str], process_settings: dict[str, str]
) -> None:
    made = capturing(1)
    victim = make_victim()
    victim.start()
    made.send(events(0, 5))
    assert is_captured(made, 5)
    victim.stop()
    # A topic that went another way: to the log it looks as if it were the one that it was captured from.
    other = Capturing(made.kafka, make_topic(1, name="other"), made.owner_url)
    other.send(events(50, 60))
    admin = broker.admin(made.kafka, client_id="test")
    topic_id = str(broker.topic_id(admin, other.topic))
    admin.close()
    process_settings["REVIEWSVC_PREDICTION_TOPICS"] = other.topic
    other.change(
        "UPDATE log SET topic = %s, series = %s WHERE topic = %s",
        other.topic,
        f"predictions/{other.topic}/0",
        made.topic,
    )
    other.change("UPDATE head SET topic_id = %s WHERE topic_id IS NOT NULL", topic_id)
    victim.start()
    assert is_stopped(other, victim, kind="changed")
    assert other.offsets() == 5


JUMPING = """
from consumers import loop
walked = loop.follow
def jumping(next_offset, known_epoch, batches):
    kept = [each for each in batches if each.base_offset != 3]
    return walked(next_offset, known_epoch, kept)
loop.follow = jumping
"""


def test_a_jump_stops_the_partition_and_a_look_later_that_it_mended_lets_it_go_on(
    capturing: Make, make_victim: MakeVictim
) -> None:
    made = capturing(1)
    for first in (0, 3, 6):
        made.send(events(first, first + 3))
    code, patience = capture_command()[1:]
    blind = make_victim("blind", ["-c", JUMPING + code, patience])
    blind.start()
    assert is_stopped(made, blind, kind="jump")
    assert made.offsets() == 3
    blind.kill()
    victim = make_victim()
    victim.start()
    assert is_captured(made, 9)
    assert is_ready(victim)
    assert alarms(made) == []
    assert victim.lines("partition goes on")
    assert made.verified().findings == []


def test_a_compacted_topic_is_refused_in_one_line_until_it_is_none(
    capturing: Make, make_victim: MakeVictim, kafka_admin: KafkaAdminClient
) -> None:
    made = capturing(1, cleanup_policy="compact")
    victim = make_victim()
    victim.start()
    assert eventually(lambda: any("is compacted" in reason for reason in victim.reasons()))
    (line,) = victim.lines("a topic is away")
    assert "set cleanup.policy=delete" in line["reason"]
    policy = {"cleanup.policy": "delete"}
    kafka_admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made.topic, policy)])
    made.send(events(0, 5))
    assert is_captured(made, 5)
    assert is_ready(victim)
