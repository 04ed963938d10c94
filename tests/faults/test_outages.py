"""Kafka and PostgreSQL go away and come back: capture waits, says so, and goes on by itself."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from consumers import broker
from consumers.settings import KafkaSettings
from reviewsvc.local import kafka as local_kafka
from reviewsvc.local import postgres as local_postgres
from reviewsvc.local.kafka import Kafka
from reviewsvc.local.ports import free_ports
from reviewsvc.local.postgres import Postgres
from tests.faults.flow import Flow, whole
from tests.faults.victims import Victim, is_ready
from tests.fixtures.capturing import Capturing, event, made_ready
from tests.fixtures.processes import eventually
from tests.fixtures.services import FAST
from tests.fixtures.template import own_template

pytestmark = pytest.mark.real

MakeVictim = Callable[..., Victim]
OUTAGE_SECONDS = 4.0
IMPATIENT = {"unready": 2.0, "silent": 1.5}


class OwnPostgres:
    """A server of this test's own that comes back on the port that it had."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        port = free_ports(1)
        monkeypatch.setattr(local_postgres, "free_ports", lambda _count: port)
        self._folder = folder
        self._ends = ExitStack()
        self.server = self.start()

    def start(self) -> Postgres:
        return self._ends.enter_context(Postgres.start(self._folder, settings=FAST))

    def stop(self) -> None:
        self._ends.close()


class OwnKafka:
    """A broker of this test's own that comes back on the ports that it had."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ports = free_ports(2)
        monkeypatch.setattr(local_kafka, "free_ports", lambda _count: ports)
        self._folder = folder
        self._ends = ExitStack()
        self.broker = self.start()

    def start(self) -> Kafka:
        return self._ends.enter_context(Kafka.start(self._folder))

    def stop(self) -> None:
        self._ends.close()


@pytest.fixture
def own_postgres(reachable_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnPostgres]:
    own = OwnPostgres(reachable_folder / "postgres", monkeypatch)
    yield own
    own.stop()


@pytest.fixture
def own_kafka(
    bootstrap_servers: str, reachable_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnKafka]:
    # The run's broker is asked for first: it brings the jars, which a test's process may not fetch.
    assert bootstrap_servers
    own = OwnKafka(reachable_folder / "kafka", monkeypatch)
    yield own
    own.stop()


def test_postgresql_away_costs_nothing_and_is_told(
    process_settings: dict[str, str],
    own_postgres: OwnPostgres,
    make_topic: Callable[..., str],
    make_victim: MakeVictim,
) -> None:
    template = own_template(own_postgres.server.owner_url, secrets.token_hex(4))
    with psycopg.connect(template.admin_url, autocommit=True) as session:
        made = "CREATE DATABASE away TEMPLATE {}"
        session.execute(sql.SQL(made).format(sql.Identifier(template.database)))
    process_settings["DATABASE_URL"] = template.process_url("away")
    flow = Flow(
        made_ready(process_settings, make_topic(3), template.owner_url("away")), count=3000, seconds=15
    )
    victim = make_victim(**IMPATIENT)
    victim.start()
    assert is_ready(victim)
    with flow:
        time.sleep(3)
        own_postgres.stop()
        assert eventually(lambda: any("the database has been away" in reason for reason in victim.reasons()))
        time.sleep(OUTAGE_SECONDS)
        assert victim.is_running()
        own_postgres.start()
    assert flow.is_captured()
    assert {**flow.sum(), "seconds": 0} == {**whole(flow.sent), "seconds": 0}
    assert is_ready(victim)
    assert victim.lines("the database is away")
    assert len(victim.lines("the database is back")) == 1
    assert len(victim.lines("partition claimed")) == 3, "it stayed a member of its group all the time"


def test_kafka_away_costs_nothing_and_is_told(
    process_settings: dict[str, str], own_kafka: OwnKafka, owner_url: str, make_victim: MakeVictim
) -> None:
    servers = own_kafka.broker.bootstrap_servers
    process_settings["KAFKA_BOOTSTRAP_SERVERS"] = servers
    admin = broker.admin(KafkaSettings(bootstrap_servers=(servers,)), client_id="test")
    broker.create_topics(admin, {"predictions": 2})
    admin.close()
    made = made_ready(process_settings, "predictions", owner_url)
    victim = make_victim(**IMPATIENT)
    victim.start()
    assert is_ready(victim)
    for partition in range(2):
        made.send([event(n) for n in range(partition, 1000, 2)], partition=partition)
    own_kafka.stop()
    assert eventually(lambda: any("kafka has been away" in reason for reason in victim.reasons()))
    time.sleep(OUTAGE_SECONDS)
    assert victim.is_running()
    own_kafka.start()
    for partition in range(2):
        made.send([event(n) for n in range(1000 + partition, 2000, 2)], partition=partition)
    assert eventually(lambda: _offsets(made) == [1000, 1000], seconds=60)
    query = "SELECT count(*), count(DISTINCT id_hash) FROM prediction"
    assert made.rows(query) == [(2000, 2000)]
    assert made.verified().findings == []
    assert is_ready(victim)
    assert victim.lines("kafka is away")
    assert victim.lines("kafka is back")
    assert not victim.lines("partition stopped")


def _offsets(made: Capturing) -> list[int]:
    return [made.offsets(partition) for partition in range(2)]
