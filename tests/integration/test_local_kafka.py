import os
import signal
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from reviewsvc.local.folders import FolderInUseError
from reviewsvc.local.jars import KafkaUnavailableError
from reviewsvc.local.kafka import Kafka
from reviewsvc.local.ports import is_open
from reviewsvc.local.stack import local_stack
from tests.fixtures.processes import eventually, is_alive, kill, next_line, parent

pytestmark = pytest.mark.real

HOUSE = """
import sys
from pathlib import Path
from reviewsvc.local.ports import is_open
from reviewsvc.local.stack import local_stack
with local_stack(Path(sys.argv[1])) as stack:
    print(stack.bootstrap_servers.rsplit(":")[-1])
    print(stack.owner_url.rsplit(":")[-1].split("/")[0])
    sys.stdin.read()
"""
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def _send(address: str, topic: str, **settings: str) -> int:
    producer = KafkaProducer(bootstrap_servers=address, **settings)
    try:
        return int(producer.send(topic, b"value", partition=0).get(30).offset)
    finally:
        producer.close()


def _end(address: str, topic: str) -> int:
    consumer = KafkaConsumer(bootstrap_servers=address)
    try:
        return int(consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)])
    finally:
        consumer.close()


def test_further_listeners_ask_for_a_log_in_and_records_outlive_a_restart(tmp_path: Path) -> None:
    listeners = {"INSIDE": "SASL_PLAINTEXT"}
    properties = {
        "auto.create.topics.enable": "true",
        "listener.name.inside.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.inside.scram-sha-256.sasl.jaas.config": SCRAM,
    }
    login = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "capture",
        "sasl_plain_password": "right",
    }
    start = {"listeners": listeners, "properties": properties, "scram": {"capture": "right"}}
    with Kafka.start(tmp_path, **start) as broker:
        known = broker.addresses
        assert _send(known["INSIDE"], "kept", **login) == 0
        with pytest.raises(FolderInUseError), Kafka.start(tmp_path):
            pass
    assert (tmp_path / "server.properties").stat().st_mode & 0o077 == 0
    with Kafka.start(tmp_path, **start) as broker:
        assert broker.addresses == known, "producers were told of it"
        assert _end(broker.bootstrap_servers, "kept") == 1


def test_a_property_that_stops_the_broker_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(KafkaUnavailableError, match=r"process\.roles"),
        Kafka.start(tmp_path, properties={"process.roles": "cook"}),
    ):
        pass


def test_a_killed_parent_leaves_neither_server_and_both_start_again(reachable_folder: Path) -> None:
    with parent(HOUSE, reachable_folder) as house:
        ports = [int(next_line(house)), int(next_line(house))]
        assert all(map(is_open, ports))
        kill(house)
        assert eventually(lambda: not any(map(is_open, ports)))
    with local_stack(reachable_folder) as stack:
        with psycopg.connect(stack.owner_url) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
        assert is_open(int(stack.bootstrap_servers.rsplit(":", 1)[1]))


def test_a_server_that_is_killed_stands_again_at_its_address(reachable_folder: Path) -> None:
    said: list[str] = []
    with local_stack(reachable_folder, say=said.append) as stack:
        with psycopg.connect(stack.owner_url) as session:
            session.execute("CREATE TABLE kept AS SELECT 1")
        killed = _killed(reachable_folder / "postgres"), _killed(reachable_folder / "kafka")
        assert eventually(lambda: not any(map(is_alive, killed)))
        port = int(stack.bootstrap_servers.rsplit(":", 1)[1])
        assert eventually(lambda: _answers(stack.owner_url) and is_open(port), seconds=120)
        with psycopg.connect(stack.owner_url) as session:
            assert session.execute("SELECT * FROM kept").fetchone() == (1,)
    assert {each for each in said if each.endswith("killed by SIGKILL; started again in 0.5 s")} == {
        f"{name} was killed by SIGKILL; started again in 0.5 s" for name in ("PostgreSQL", "Kafka")
    }
    assert not is_open(port)


def _killed(folder: Path) -> int:
    """Kill the oldest process whose command names this folder."""
    named = [
        int(each.parent.name)
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if f"{folder}/" in each.read_text(errors="replace")
    ]
    os.kill(min(named), signal.SIGKILL)
    return min(named)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as session:
            return session.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_what_is_given_is_not_started(tmp_path: Path) -> None:
    with local_stack(tmp_path, owner_url="postgresql://given/x", bootstrap_servers="given:9092") as stack:
        assert (stack.owner_url, stack.bootstrap_servers) == ("postgresql://given/x", "given:9092")
    assert not any(tmp_path.iterdir())
