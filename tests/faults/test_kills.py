"""Processes die, freeze and lose their connections while events flow: nothing is lost, nothing twice."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
import pytest

from tests.faults.deciding import Deciding, labels_out
from tests.faults.flow import Flow, whole
from tests.faults.victims import Victim, freeze_in_transaction, is_ready
from tests.fixtures.capturing import Capturing
from tests.fixtures.processes import eventually

Make = Callable[..., Capturing]
MakeVictim = Callable[..., Victim]
CHANCE = random.Random(20261121)  # noqa: S311 - says what breaks when, and is no secret
KILLS = 20
IN_TRANSACTION = 0.75
FROZEN_SECONDS = 8.0
MOST_FROZEN = 3


@dataclass
class Harm:
    """What is done to the processes, counted."""

    killed: dict[str, int] = field(default_factory=dict)
    killed_in_transaction: int = 0
    frozen: int = 0
    cut: int = 0

    def is_too_little(self) -> bool:
        """Say whether more must break before the test says anything."""
        return sum(self.killed.values()) < KILLS or self.killed_in_transaction < KILLS // 2 or not self.frozen


@pytest.fixture
def conn(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(owner_url, autocommit=True) as made:
        yield made


@pytest.fixture
def relayed(process_settings: dict[str, str], make_topic: Callable[..., str]) -> dict[str, str]:
    """Settings with topics for what leaves, and an origin whose relays no other test's relays fence."""
    process_settings["REVIEWSVC_ORIGIN"] = "kills.example"
    for name in ("LABELS", "DECISIONS"):
        process_settings[f"REVIEWSVC_{name}_TOPIC"] = make_topic(3, name=name.lower())
    return process_settings


def kill(victim: Victim, harm: Harm, conn: psycopg.Connection[Any], *, in_transaction: bool) -> None:
    """Kill it and start it again."""
    if in_transaction and freeze_in_transaction(victim, conn, seconds=10):
        harm.killed_in_transaction += 1
    victim.kill()
    name = victim.name.partition("-")[0]
    harm.killed[name] = harm.killed.get(name, 0) + 1
    victim.start()


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
    with flow:
        harm = Harm()
        for place, victim in enumerate([victims[0], victims[1], victims[0]]):
            time.sleep(1.5)
            kill(victim, harm, conn, in_transaction=place != 1)
    assert flow.is_captured()
    found = flow.sum()
    assert {**found, "seconds": 0} == {**whole(flow.sent), "seconds": 0}
    assert harm.killed_in_transaction >= 1


@pytest.mark.real
def test_a_process_frozen_in_its_transaction_loses_its_place_and_is_fenced_when_it_wakes(
    capturing: Make, make_victim: MakeVictim, conn: psycopg.Connection[Any]
) -> None:
    flow = Flow(capturing(2), count=4000, seconds=8, partitions=2)
    frozen, other = (make_victim(f"capture-{number}") for number in range(2))
    frozen.start()
    assert is_ready(frozen)
    with flow:
        assert eventually(lambda: all(flow.capturing.offsets(part) for part in range(2)), seconds=60)
        assert freeze_in_transaction(frozen, conn, seconds=10)
        other.start()
    assert flow.is_captured(), "nobody waits for who does not answer"
    frozen.thaw()
    assert eventually(lambda: bool(frozen.lines("fenced")), seconds=60)
    assert {**flow.sum(), "seconds": 0} == {**whole(flow.sent), "seconds": 0}
    assert eventually(lambda: not frozen.reasons() and not other.reasons(), seconds=60)


def harm_by_chance(victims: list[Victim], relay: Victim, harm: Harm, conn: psycopg.Connection[Any]) -> None:
    """Do one thing to one of them; two thirds of the captures that are killed are so in a transaction."""
    victim = CHANCE.choice(victims)
    match CHANCE.choices(("freeze", "cut", "relay", "kill"), (1, 2, 2, 5))[0]:
        case "freeze" if harm.frozen < MOST_FROZEN:
            freeze(victim, harm, conn)
        case "cut":
            cut(victim, harm, conn)
        case "relay":
            kill(relay, harm, conn, in_transaction=False)
        case _:
            kill(victim, harm, conn, in_transaction=CHANCE.random() < IN_TRANSACTION)


@pytest.mark.long
def test_twenty_kills_freezes_and_cut_connections_lose_and_double_nothing(
    relayed: dict[str, str],
    capturing: Make,
    make_victim: MakeVictim,
    conn: psycopg.Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    flow = Flow(capturing(3), count=100_000, seconds=110)
    victims = [make_victim(f"capture-{number}") for number in range(2)]
    relay = make_victim("relay", ["-m", "consumers", "relay"])
    deciding = Deciding(relayed)
    for victim in [*victims, relay]:
        victim.start()
    assert all(map(is_ready, [*victims, relay]))
    with flow:
        deciding.start()
        harm = Harm()
        while harm.is_too_little() or flow.sent < flow.count:
            time.sleep(CHANCE.uniform(0.5, 3.0))
            harm_by_chance(victims, relay, harm, conn)
    assert flow.is_captured()
    deciding.stop()
    fenced = sum(len(victim.lines("fenced")) for victim in victims)
    found = {
        **flow.sum(),
        **labels_out(flow.capturing, relayed["REVIEWSVC_LABELS_TOPIC"]),
        **asdict(harm),
        "fenced": fenced,
    }
    with capsys.disabled():
        print(f"\nkills: {json.dumps(found)}")  # noqa: T201 - the figures of the run, to be quoted
    assert {key: found[key] for key in whole(1)} == whole(flow.sent)
    assert found["seconds"] >= 100
    assert (found["labels_lost"], found["labels_doubled"]) == (0, 0)
    assert found["labels"] == deciding.decided > 0
