"""`reviewsvc topics create`: makes what is missing, leaves what is there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reviewsvc import cli

pytestmark = pytest.mark.real

TOPICS = ("PREDICTION_TOPICS", "OUTCOME_TOPICS", "LABELS_TOPIC", "DECISIONS_TOPIC", "CHECKPOINTS_TOPIC")


@pytest.fixture
def names(
    bootstrap_servers: str,
    kafka_admin: Any,
    topic_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[str]]:
    """Set topics that no other test has; they are deleted after the test."""
    chosen = {setting: topic_name(setting.lower()) for setting in TOPICS}
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    for setting, name in chosen.items():
        monkeypatch.setenv(f"REVIEWSVC_{setting}", name)
    yield list(chosen.values())
    kafka_admin.delete_topics(list(chosen.values()))


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Run the command and return what it says of each topic."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["topics", "create", "--keep-days", "3"])
    assert ended.value.code == 0
    return dict(line.split() for line in capsys.readouterr().out.splitlines())


def test_missing_topics_are_created_and_existing_ones_left(
    names: list[str], kafka_admin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys) == dict.fromkeys(names, "created")
    described = kafka_admin.describe_topics(names)
    assert {each["name"]: len(each["partitions"]) for each in described} == dict.fromkeys(names, 3)
    assert said(capsys) == dict.fromkeys(names, "exists")


def test_a_topic_to_be_captured_whose_records_may_vanish_is_refused(
    names: list[str], kafka_admin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = {"num_partitions": 1, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    kafka_admin.create_topics({names[0]: topic}, wait_for_metadata=True)
    with pytest.raises(SystemExit) as ended:
        cli.main(["topics", "create"])
    assert ended.value.code == 1
    assert f"Error: Topic '{names[0]}' is compacted" in capsys.readouterr().err


def test_a_broker_that_is_away_is_one_clear_line() -> None:
    hurried = "from consumers import broker; broker._BOOTSTRAP_MS = 500"
    command = f"{hurried}; from reviewsvc import cli; cli.main(['topics', 'create'])"
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr
