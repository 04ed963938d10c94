"""A reviewer without a face, who answers whatever waits, and what of it reached the topic of labels."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from consumers.snapshot import read_all
from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import answers, claims, people
from reviewsvc.usecases.answers import Sent
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.keyring import Keyring
from tests.fixtures.capturing import Capturing
from tests.fixtures.processes import eventually

SYSTEM = Actor("cli", "test")
PAUSE_SECONDS = 0.5


class Deciding(threading.Thread):
    """Claims and answers a few tasks at a time until told to stop."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(name="deciding", daemon=True)
        self._sessions = Sessions(settings["DATABASE_URL"], "web", size=2)
        keyring = Keyring(load_kek(Path(settings["REVIEWSVC_KEK_FILE"])))
        self._desk = Desk(self._sessions, keyring)
        at = datetime.now(UTC)
        person = people.add(
            self._sessions, keyring, "anna", "Anna", "correct-horse-battery", actor=SYSTEM, at=at
        )
        people.grant(self._sessions, keyring, person, Grant("reviewer", "*"), actor=SYSTEM, at=at)
        self._anna = Actor("person", str(person))
        self._ended = threading.Event()
        self.decided = 0

    def run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            at = datetime.now(UTC)
            for held in claims.claim(self._desk, "triage", actor=self._anna, at=at, count=10):
                sent = Sent(uuid4(), held.token, "approve")
                answers.decide(self._desk, held.task_id, sent, actor=self._anna, at=at)
                self.decided += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._sessions.close()


def labels_out(made: Capturing, topic: str) -> dict[str, int]:
    """Count the label entries, and those that the topic's readers see never or twice, when all is out."""
    stored = {int(row[0]) for row in made.rows("SELECT seq FROM label")}

    def sent() -> list[int]:
        values: list[dict[str, Any]] = [
            msgspec.json.decode(one.value or b"{}") for one in read_all(made.kafka, topic)
        ]
        return [int(each["seq"]) for each in values]

    eventually(lambda: len(sent()) >= len(stored), seconds=60)
    seen = sent()
    return {
        "labels": len(stored),
        "labels_lost": len(stored - set(seen)),
        "labels_doubled": len(seen) - len(set(seen)),
    }
