"""Capture and relay as processes of their own, before and after a restored database is adopted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers import snapshot
from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import adopting
from reviewsvc.usecases.adopting import Adoption
from reviewsvc.usecases.keyring import Keyring
from tests.fixtures.broker import MakeTopic
from tests.fixtures.capturing import AT, PATIENCE_SECONDS, Capturing, event
from tests.fixtures.house import RunProcesses
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real


def places(made: Capturing) -> list[tuple[int, int, int]]:
    """Incarnation, size and next offset of the partition's logs."""
    query = (
        "SELECT incarnation, size, next_offset FROM log JOIN head USING (log_id) WHERE topic = %s ORDER BY 1"
    )
    return [(row[0], row[1], row[2]) for row in made.rows(query, made.topic)]


def adopt(settings: dict[str, str]) -> None:
    sessions = Sessions(settings["DATABASE_URL"], "worker", size=1)
    keyring = Keyring(load_kek(Path(settings["REVIEWSVC_KEK_FILE"])))
    asked = Adoption(Actor("cli", "officer"), "moved", [])
    adopting.adopt(sessions, keyring, asked, AT, lambda: 0)
    sessions.close()


def test_capture_goes_on_at_the_right_offset_and_readers_of_topics_are_told(
    capturing: Callable[..., Capturing],
    run_processes: RunProcesses,
    process_settings: dict[str, str],
    make_topic: MakeTopic,
) -> None:
    for name in ("labels", "decisions"):
        process_settings[f"REVIEWSVC_{name.upper()}_TOPIC"] = make_topic(name=name)
    made = capturing()
    run_processes("capture", "relay")
    made.send([event(number) for number in range(3)])
    assert eventually(lambda: places(made) == [(0, 4, 3)], seconds=PATIENCE_SECONDS)
    made.change("UPDATE installation SET system_id = '1'")
    adopt(process_settings)
    made.send([event(number) for number in range(3, 5)])
    assert eventually(lambda: places(made) == [(0, 4, 3), (1, 3, 5)], seconds=PATIENCE_SECONDS)

    def told(name: str) -> list[tuple[str, str]]:
        found = snapshot.read_all(made.kafka, process_settings[f"REVIEWSVC_{name.upper()}_TOPIC"])
        values = [json.loads(each.value or b"{}") for each in found]
        return sorted((each["op"], each["log"]) for each in values)

    assert eventually(
        lambda: told("labels") == [("continuation", "labels/loans/1")], seconds=PATIENCE_SECONDS
    )
    logs = [("continuation", f"activity/{shard}/1") for shard in range(4)]
    assert eventually(lambda: told("decisions") == logs, seconds=PATIENCE_SECONDS)
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])
