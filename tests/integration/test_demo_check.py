"""`reviewsvc demo --check` on few events: all that it does for hundreds."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.fixtures.long_commands import free_environment

# One worker runs all tests here, since they look at one run.
pytestmark = [pytest.mark.real, pytest.mark.xdist_group("demo-check")]

EVENTS = 120
SECONDS = 400
FIGURES = {
    "sent",
    "captured",
    "queued",
    "decided",
    "undone",
    "labels_api",
    "labels_kafka",
    "decisions_kafka",
    "lost",
    "doubled",
    "tampering_seen",
    "seconds",
}


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    """The check, run once for all tests here, on a PostgreSQL and a Kafka of its own."""
    return subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", "demo", "--check", "--json", "--events", str(EVENTS)],
        env=free_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it says on stdout, which is one JSON object and nothing else."""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nothing_is_off(done: subprocess.CompletedProcess[str], figures: dict[str, Any]) -> None:
    assert done.returncode == 0, done.stderr
    assert "Off:" not in done.stderr
    assert set(figures) == FIGURES


def test_each_prediction_is_captured_once(figures: dict[str, Any]) -> None:
    assert (figures["sent"], figures["captured"]) == (EVENTS, EVENTS)
    assert (figures["lost"], figures["doubled"]) == (0, 0)


def test_each_decision_leaves_as_a_label_and_an_undone_one_as_its_withdrawal(figures: dict[str, Any]) -> None:
    assert figures["undone"] >= 1
    assert figures["decided"] == figures["queued"] + figures["undone"]
    assert figures["labels_api"] == figures["labels_kafka"] == figures["decided"] + figures["undone"]
    assert figures["decisions_kafka"] == figures["decided"] + figures["undone"]


def test_one_changed_byte_is_seen(figures: dict[str, Any]) -> None:
    assert figures["tampering_seen"] is True
