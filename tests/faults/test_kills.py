"""Processes die, freeze and lose their connections while events flow: nothing is lost, nothing twice."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
import pytest

from tests.faults.flow import Flow, whole
from tests.faults.victims import Victim, freeze_in_transaction, is_ready
from tests.fixtures.capturing import Capturing

Make = Callable[..., Capturing]
MakeVictim = Callable[..., Victim]
SEED = 20261121
FROZEN_SECONDS = 8.0


@dataclass
class Harm:
    """What is done to the processes, counted."""

    killed: dict[str, int] = field(default_factory=dict)
    killed_in_transaction: int = 0
    frozen: int = 0
    cut: int = 0


@pytest.fixture
def conn(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(owner_url, autocommit=True) as made:
        yield made


def kill(victim: Victim, harm: Harm, conn: psycopg.Connection[Any], *, in_transaction: bool) -> None:
    if in_transaction and freeze_in_transaction(victim, conn, seconds=10):
        harm.killed_in_transaction += 1
    victim.kill()
    harm.killed["capture"] = harm.killed.get("capture", 0) + 1


def freeze(victim: Victim, harm: Harm, conn: psycopg.Connection[Any]) -> None:
    """Longer than Kafka waits for a member, half-way through a transaction: its place goes to the other."""
    if not freeze_in_transaction(victim, conn, seconds=10):
        victim.freeze()
    time.sleep(FROZEN_SECONDS)
    victim.thaw()
    harm.frozen += 1


def cut(victim: Victim, harm: Harm, conn: psycopg.Connection[Any]) -> None:
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"
    harm.cut += len(conn.execute(query, (f"reviewsvc-%-{victim.pid}",)).fetchall())


@pytest.mark.real
def test_three_kills_lose_and_double_nothing(
    capturing: Make, make_victim: MakeVictim, conn: psycopg.Connection[Any]
) -> None:
    flow = Flow(capturing(3), count=10_000, seconds=12)
    victims = [make_victim(f"capture-{number}") for number in range(2)]
    for victim in victims:
        victim.start()
    assert all(map(is_ready, victims))
    flow.start()
    harm = Harm()
    for place, victim in enumerate([victims[0], victims[1], victims[0]]):
        time.sleep(1.5)
        kill(victim, harm, conn, in_transaction=place != 1)
        victim.start()
    flow.join()
    assert flow.is_captured()
    found = flow.sum()
    assert {**found, "seconds": 0} == {**whole(10_000), "seconds": 0}
    assert harm.killed_in_transaction >= 1


@pytest.mark.long
def test_twenty_kills_freezes_and_cut_connections_lose_and_double_nothing(
    capturing: Make,
    make_victim: MakeVictim,
    conn: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    flow = Flow(capturing(3), count=100_000, seconds=110)
    victims = [make_victim(f"capture-{number}") for number in range(2)]
    for victim in victims:
        victim.start()
    assert all(map(is_ready, victims))
    flow.start()
    harm = Harm()
    chance = random.Random(SEED)  # noqa: S311 - says what breaks when, and is no secret
    while sum(harm.killed.values()) < 20 or flow.is_alive():
        time.sleep(chance.uniform(0.5, 3.0))
        victim = chance.choice(victims)
        if harm.frozen < 3 and chance.random() < 0.2:
            freeze(victim, harm, conn)
        elif chance.random() < 0.3:
            cut(victim, harm, conn)
        else:
            kill(victim, harm, conn, in_transaction=chance.random() < 0.75)
            victim.start()
    flow.join()
    assert flow.is_captured()
    fenced = sum(len(victim.lines("fenced")) for victim in victims)
    found = {**flow.sum(), **asdict(harm), "fenced": fenced}
    with capsys.disabled():
        print(f"\nkills: {json.dumps(found)}")  # noqa: T201 - the figures of the run, to be quoted
    assert {key: found[key] for key in whole(1)} == whole(100_000)
    assert harm.killed_in_transaction >= 10
    assert harm.frozen
    assert harm.cut
