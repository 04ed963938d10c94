"""Nothing leaves beyond what is signed, once anything is."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from consumers import broker
from consumers.relay import Relay
from consumers.settings import KafkaSettings, from_settings
from reviewsvc.config import Kafka, Settings
from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.notes import ED25519, Signer, sign
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.hot.guards import RestoredError
from reviewsvc.domain.checkpoint import Checkpoint, parse_checkpoint
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.labels import CursorError
from reviewsvc.usecases import adopting, decisions, guarding, label_lists, labels
from reviewsvc.usecases.adopting import Adoption
from reviewsvc.usecases.sent_ids import NotCapturedError
from tests.fixtures.broker import MakeTopic
from tests.fixtures.cases import SECOND, TOPIC, Bank, event
from tests.fixtures.installed import AT, ORIGIN, SYSTEM
from tests.fixtures.processes import eventually
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
DATA = Actor("token", "00000000-0000-7000-8000-00000000dada")
Read = Callable[[str], list[bytes]]


def decided(bank: Bank, name: str) -> None:
    bank.capture([event(name)])
    anna = bank.person(f"anna-{name}")
    (held,) = bank.claim(anna)
    bank.decide(anna, held)


def page(bank: Bank, after: str | None = None) -> labels.Page:
    return labels.page(bank.desk, "loans", after, 100, actor=DATA, at=AT)


def status(bank: Bank, name: str) -> str:
    return decisions.answer(bank.desk, "loans", name, TOPIC, actor=DATA, at=AT).status


def test_labels_leave_when_they_are_sealed(signed: SealedBank) -> None:
    bank = signed.bank
    decided(bank, "p-1")
    assert page(bank).items == []
    assert list(labels.stream(bank.desk, "loans", None, actor=DATA, at=AT)) in ([], [[]])
    signed.seal()
    first = page(bank)
    assert [one.prediction_id for one in first.items] == ["p-1"]
    decided(bank, "p-2")
    waiting = page(bank, first.next)
    assert (waiting.items, waiting.next) == ([], first.next)
    ends = label_lists.summary(bank.desk, "loans")
    assert len(label_lists.newest(bank.desk, "loans", ends, None, 10, actor=DATA, at=AT)) == 1
    signed.seal(AT + SECOND)
    assert [one.prediction_id for one in page(bank, first.next).items] == ["p-2"]
    (batch,) = labels.stream(bank.desk, "loans", None, actor=DATA, at=AT)
    assert [one.prediction_id for one in batch] == ["p-1", "p-2"]


def test_a_cursor_from_before_signing_stays_good(unsigned: SealedBank) -> None:
    bank = unsigned.bank
    decided(bank, "p-1")
    given = page(bank).next
    unsigned.announce(*unsigned.vkeys())
    assert (page(bank, given).items, page(bank, given).next) == ([], given)
    with pytest.raises(CursorError):
        page(bank, "0.7")


def test_an_answer_is_told_when_it_is_sealed(signed: SealedBank) -> None:
    bank = signed.bank
    bank.capture([event("p-1")])
    with pytest.raises(NotCapturedError):
        status(bank, "p-1")
    signed.seal()
    assert status(bank, "p-1") == "pending"
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    bank.decide(anna, held)
    assert status(bank, "p-1") == "pending"
    signed.seal(AT + SECOND)
    assert status(bank, "p-1") == "decided"


@pytest.fixture
def topics(make_topic: MakeTopic) -> dict[str, str]:
    return {name: make_topic(1, name=name) for name in ("labels", "decisions", "checkpoints")}


@pytest.fixture
def relay(signed: SealedBank, bootstrap_servers: str, topics: dict[str, str], tmp_path: Path) -> Relay:
    kek = tmp_path / "bank-kek"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    names: dict[str, Any] = {f"{name}_topic": topic for name, topic in topics.items()}
    kafka = Kafka(bootstrap_servers=(bootstrap_servers,), **names)
    url = signed.bank.database_url
    return Relay(Settings(kafka=kafka, database_url=url, kek_file=str(kek)), threading.Event())


@pytest.fixture
def read(bootstrap_servers: str, topics: dict[str, str]) -> Read:
    settings = KafkaSettings(bootstrap_servers=(bootstrap_servers,))

    def all_of(name: str) -> list[bytes]:
        place = TopicPartition(topics[name], 0)
        admin = broker.admin(settings, client_id="test")
        end = broker.end_offsets(admin, [place], committed=True)[place]
        admin.close()
        consumer = broker.consumer(settings, client_id="test")
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        found: list[bytes] = []
        while consumer.position(place) < end:
            found += [one.value for records in consumer.poll(timeout_ms=200).values() for one in records]
        consumer.close()
        return found

    return all_of


@pytest.mark.usefixtures("relay_turn")
def test_the_relay_sends_what_is_sealed_and_each_checkpoint_of_the_root_log(
    signed: SealedBank, relay: Relay, read: Read
) -> None:
    def drain() -> None:
        relay._connect()
        assert eventually(lambda: not relay.turn() and not relay._faults)
        relay._drop_all()

    decided(signed.bank, "p-1")
    drain()
    assert [read(name) for name in ("labels", "decisions", "checkpoints")] == [[], [], []]
    notes = []
    for number in range(2):
        signed.seal(AT + number * SECOND)
        notes.append(signed.logs()["root/0"].note.encode())
        decided(signed.bank, f"q-{number}")
    drain()
    assert [json.loads(value)["prediction_id"] for value in read("labels")] == ["p-1", "q-0"]
    assert len(read("decisions")) == 2
    assert read("checkpoints") == notes
    said = parse_checkpoint(notes[-1].decode().rpartition("\n\n")[0] + "\n")
    assert said.origin == f"{ORIGIN}/root/0"
    drain()
    assert len(read("checkpoints")) == 2
    check_that_what_the_topic_has_is_held_against_the_database(signed, relay)


def check_that_what_the_topic_has_is_held_against_the_database(signed: SealedBank, relay: Relay) -> None:
    """Only a checkpoint that this house's key signed stops its writers."""
    root = signed.logs()["root/0"]
    producer = broker.producer(
        from_settings(relay._settings.kafka), client_id="test", transactional_id="test-checkpoints"
    )
    producer.init_transactions()

    def started_with(*notes: bytes) -> dict[str, str]:
        """What a relay that starts says of its logs, once the topic has these too."""
        producer.begin_transaction()
        for note in notes:
            producer.send(relay._settings.kafka.checkpoints_topic, note)
        producer.commit_transaction()
        relay._connect()
        assert eventually(lambda: not relay.turn())
        relay._drop_all()
        return {log: why for log, (_, why) in relay._faults.items()}

    text = Checkpoint(f"{ORIGIN}/root/0", root.size + 9, bytes(32)).text()
    stranger = Signer(f"{ORIGIN}/root/0", ED25519, bytes(32))
    assert started_with(b"no note", sign(text, [stranger.line(text)]).encode()) == {}
    (ours,) = signing_keys.load(signed.key_file)
    note = sign(text, [Signer(f"{ORIGIN}/root/0", ours.kind, ours.seed).line(text)])
    told = f"{root.size + 9} entries were signed, {root.size} of root/0 are here"
    assert told in started_with(note.encode())["root/0"]
    producer.close()
    with connect(signed.bank.database_url, "web") as conn, pytest.raises(RestoredError, match=told):
        guards.check(conn)
    with pytest.raises(RestoredError, match=told):
        guarding.confirm(signed.sessions, signed.signer, AT)
    planned = adopting.plan(signed.sessions, Adoption(SYSTEM, "", signed.signer.everything()))
    assert [(each.name, each.lost_from, each.lost_to) for each in planned.lost] == [
        ("root/0", root.size, root.size + 9)
    ]
