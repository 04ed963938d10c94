"""Labels and final answers reach their topics once, whatever happens to the relay."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from kafka import TopicPartition

from consumers import broker
from consumers.relay import Relay
from consumers.settings import KafkaSettings
from reviewsvc import cli
from reviewsvc.config import Kafka, Settings
from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import answers, labels
from reviewsvc.usecases.verification import verify
from tests.fixtures.broker import MakeTopic
from tests.fixtures.cases import SECOND, Bank, event, forget_subjects
from tests.fixtures.house import RunProcesses
from tests.fixtures.installed import AT, ORIGIN
from tests.fixtures.processes import eventually

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("relay_turn")]
DATA = Actor("token", "00000000-0000-7000-8000-00000000dada")
MakeRelay = Callable[[], Relay]
Accept = Callable[[str], tuple[object, str]]


class Topics:
    """The two topics, as a reader of committed records sees them."""

    def __init__(self, servers: str, make_topic: MakeTopic) -> None:
        self.kafka = KafkaSettings(bootstrap_servers=(servers,))
        self.labels = make_topic(3, name="labels")
        self.decisions = make_topic(3, name="decisions")

    def read(self, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """Key and value of every committed record, in the order of the logs' seqs."""
        admin = broker.admin(self.kafka, client_id="test")
        partitions = [TopicPartition(topic, number) for number in range(3)]
        ends = broker.end_offsets(admin, partitions, committed=True)
        admin.close()
        consumer = broker.consumer(self.kafka, client_id="test")
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found = []
        while any(consumer.position(one) < end for one, end in ends.items()):
            for records in consumer.poll(timeout_ms=200).values():
                found += [(record.key.decode(), json.loads(record.value)) for record in records]
        consumer.close()
        return sorted(found, key=lambda one: (one[1]["entry_log"], one[1]["entry_seq"]))


@pytest.fixture
def topics(bootstrap_servers: str, make_topic: MakeTopic) -> Topics:
    return Topics(bootstrap_servers, make_topic)


@pytest.fixture
def make_relay(bank: Bank, topics: Topics, tmp_path: Path) -> MakeRelay:
    kek = tmp_path / "bank-kek"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    settings = Settings(
        kafka=Kafka(
            bootstrap_servers=topics.kafka.bootstrap_servers,
            labels_topic=topics.labels,
            decisions_topic=topics.decisions,
        ),
        database_url=bank.database_url,
        kek_file=str(kek),
    )
    return lambda: Relay(settings, threading.Event())


@pytest.fixture
def accept(
    bank: Bank,
    topics: Topics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Accept:
    """Types `reviewsvc topics accept TOPIC`; returns its exit code and what it said."""
    settings = {
        "DATABASE_URL": bank.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": topics.kafka.bootstrap_servers[0],
        "REVIEWSVC_KEK_FILE": str(tmp_path / "bank-kek"),
        "REVIEWSVC_ORIGIN": ORIGIN,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(topic: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["topics", "accept", topic])
        return ended.value.code, "".join(capsys.readouterr())

    return run


def drain(relay: Relay, *, may_stop: bool = False) -> None:
    relay._connect()
    settle(relay, may_stop=may_stop)
    relay._drop_all()


def settle(relay: Relay, *, may_stop: bool = False) -> None:
    """Relay until nothing is new; what a busy broker refuses is tried again, as the process does."""
    assert eventually(lambda: not relay.turn() and (may_stop or not relay._faults))


def decided(bank: Bank, first: int, behind: int) -> list[answers.Decided]:
    bank.capture([event(f"p-{number}") for number in range(first, behind)])
    anna = bank.person(f"anna{first}")
    made = []
    for number in range(first, behind):
        (held,) = bank.claim(anna)
        made.append(bank.decide(anna, held, "refuse" if number % 3 else "approve"))
    return made


def by_api(bank: Bank) -> list[dict[str, Any]]:
    page = labels.page(bank.desk, "loans", None, 500, actor=DATA, at=AT)
    found: list[dict[str, Any]] = msgspec.to_builtins(page.items)
    return found


def test_labels_and_answers_leave_once_with_every_field(
    bank: Bank, topics: Topics, make_relay: MakeRelay
) -> None:
    anna = bank.person("anna")
    bank.capture([event("p-1"), event("p-2")])
    first, second = bank.claim(anna, 2)
    made = bank.decide(anna, first, "refuse")
    drain(make_relay())
    bank.decide(anna, second)
    answers.undo(bank.desk, made.decision_id, actor=anna, at=AT + SECOND)
    drain(make_relay())
    drain(make_relay())
    sent = topics.read(topics.labels)
    assert [value for _, value in sent] == by_api(bank)
    assert {key for key, _ in sent} == {bank.task(one.task_id).id_hash.hex() for one in (first, second)}
    told = [
        (value["prediction_id"], value["status"], value["value"], value["model_value"])
        for _, value in topics.read(topics.decisions)
    ]
    assert sorted(told, key=str) == [
        ("p-1", "decided", "refuse", "approve"),
        ("p-1", "pending", None, "approve"),
        ("p-2", "decided", "approve", "approve"),
    ]


def test_a_relay_that_is_killed_again_and_again_loses_and_doubles_nothing(
    bank: Bank, topics: Topics, run_processes: RunProcesses, tmp_path: Path
) -> None:
    kek = tmp_path / "bank-kek"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    keeper = run_processes(
        "relay",
        REVIEWSVC_ORIGIN=ORIGIN,
        REVIEWSVC_KEK_FILE=str(kek),
        REVIEWSVC_LABELS_TOPIC=topics.labels,
        REVIEWSVC_DECISIONS_TOPIC=topics.decisions,
    )
    deciding = threading.Thread(target=lambda: [decided(bank, n, n + 10) for n in range(0, 70, 10)])
    deciding.start()
    for delay in (0.0, 0.05, 0.15, 0.3):
        assert eventually(lambda: "relay" in keeper.pids() and not keeper.not_ready())
        time.sleep(delay)
        os.kill(keeper.pids()["relay"], signal.SIGKILL)
    deciding.join()
    assert eventually(lambda: len(topics.read(topics.labels)) >= 70)
    assert [value for _, value in topics.read(topics.labels)] == by_api(bank)
    assert len(topics.read(topics.decisions)) == 70


def test_a_place_that_kafka_forgot_is_found_at_the_topics_end(
    bank: Bank, topics: Topics, make_relay: MakeRelay
) -> None:
    decided(bank, 0, 4)
    drain(make_relay())
    admin = broker.admin(topics.kafka, client_id="test")
    admin.delete_groups([f"reviewsvc-relay-{ORIGIN}/labels/loans/0"])
    admin.close()
    with psycopg.connect(bank.database_url) as connection:
        connection.execute("SET ROLE reviewsvc_relay")
        lower = "UPDATE relay_place SET seq = 2, end_offsets = '{}' WHERE topic = %s"
        connection.execute(lower, (topics.labels,))
    decided(bank, 4, 6)
    drain(make_relay())
    assert [value["seq"] for _, value in topics.read(topics.labels)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("is_new", [True, False], ids=["before the relay starts", "while it runs"])
def test_a_topic_that_was_made_again_stops_the_log_and_says_so(
    bank: Bank,
    topics: Topics,
    make_relay: MakeRelay,
    accept: Accept,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_new: bool,
) -> None:
    monkeypatch.setattr("consumers.relay._TROUBLED_SECONDS", -1.0)
    decided(bank, 0, 2)
    assert "nothing was ever sent" in accept(topics.labels)[1]
    relay = make_relay()
    drain(relay)
    assert "is the topic that was sent to" in accept(topics.labels)[1]
    admin = broker.admin(topics.kafka, client_id="test")
    admin.delete_topics([topics.labels])
    assert eventually(lambda: topics.labels not in admin.list_topics())
    broker.create_topics(admin, {topics.labels: 3})
    admin.close()
    decided(bank, 2, 3)
    relay = make_relay() if is_new else relay
    drain(relay, may_stop=True)
    assert topics.read(topics.labels) == []
    assert any(f"`reviewsvc topics accept {topics.labels}`" in reason for reason in relay.reasons())
    assert len(topics.read(topics.decisions)) == 3
    code, told = accept(topics.labels)
    assert (code, told.splitlines()[-1]) == (
        0,
        f"Everything of labels/loans/0 is sent again to {topics.labels}.",
    )
    drain(make_relay())
    assert [value["seq"] for _, value in topics.read(topics.labels)] == [1, 2, 3]
    assert len(topics.read(topics.decisions)) == 3
    assert accept(topics.labels)[0] == 1
    with connect(bank.database_url, "read") as conn:
        assert verify(conn).verdict == Verdict.VERIFIED


def test_what_does_not_open_any_more_leaves_as_a_withdrawal_and_stops_nothing(
    bank: Bank, topics: Topics, make_relay: MakeRelay, owner_url: str
) -> None:
    decided(bank, 0, 2)
    forget_subjects(owner_url)
    decided(bank, 2, 4)
    with psycopg.connect(owner_url) as connection:
        damaged = "UPDATE payload SET ciphertext = ciphertext || 'x' WHERE seq = 3 AND log_id = "
        connection.execute(damaged + "(SELECT log_id FROM log WHERE name = 'labels/loans/0')")
    drain(make_relay())
    sent = [(value["seq"], value["op"], value["prediction_id"]) for _, value in topics.read(topics.labels)]
    assert sent == [(1, "withdraw", None), (2, "withdraw", None), (3, "withdraw", None), (4, "add", "p-3")]


def test_of_two_relays_one_waits(bank: Bank, topics: Topics, make_relay: MakeRelay) -> None:
    first, second = make_relay(), make_relay()
    first._connect()
    second._connect()
    decided(bank, 0, 3)
    settle(first)
    assert not second.turn()
    assert (second.reasons(), second._relays) == ([], {})
    first._drop_all()
    decided(bank, 3, 5)
    assert eventually(second.turn)
    settle(second)
    second._drop_all()
    assert [value["seq"] for _, value in topics.read(topics.labels)] == [1, 2, 3, 4, 5]
