import socket

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pytest_socket import SocketConnectBlockedError

from tests.fixtures.broker import MakeTopic
from tests.fixtures.template import PROCESS_GROUPS

pytestmark = pytest.mark.real


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_migrated_database_of_its_own(owner_url: str, turn: int) -> None:
    with psycopg.connect(owner_url) as session:
        assert session.execute("SELECT count(*) FROM log").fetchone() is not None
        session.execute("CREATE TABLE mine AS SELECT %s AS turn", (turn,))


def test_the_login_of_processes_may_become_each_group_and_is_no_owner(database_url: str) -> None:
    with psycopg.connect(database_url) as session:
        for group in PROCESS_GROUPS:
            session.execute(f"SET ROLE {group}".encode())
        session.execute("RESET ROLE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SET ROLE reviewsvc_owner")


def test_a_topic_is_ready_when_it_is_handed_out(bootstrap_servers: str, make_topic: MakeTopic) -> None:
    topic = make_topic(2, retention_ms="3600000")
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers)
    producer.send(topic, b"one", partition=1).get(10)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers)
    try:
        assert consumer.end_offsets([TopicPartition(topic, 1)]) == {TopicPartition(topic, 1): 1}
    finally:
        consumer.close()


@pytest.mark.filterwarnings("ignore:A test tried to use socket:UserWarning")  # the guard's own words
def test_a_test_reaches_this_machine_only() -> None:
    with pytest.raises(SocketConnectBlockedError), socket.socket() as outward:
        outward.connect(("192.0.2.1", 9))
