"""The load that capture is measured with: events of 1 KB with 20 inputs, a twentieth of them for people."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from consumers import broker
from consumers.settings import KafkaSettings

PARTITIONS = 3
# More than a batch of Kafka holds, so that compression finds no event twice.
DIFFERENT = 1_009
CONTRACT = {
    "kind": "contract",
    "name": "loans",
    "owner": "credit",
    "risk_tier": "high",
    "retention": {"class": "standard", "keep_days": 3650},
    "output": {"type": "class", "classes": ["approve", "refuse"]},
    "segments": ["a", "b", "c"],
    "fields": [
        {"name": f"feature_{place:02}", "type": "number", "unit": "dollars", "min": 0, "max": 1e6}
        for place in range(20)
    ],
}
POLICY = {
    "kind": "policy",
    "name": "loans",
    "rules": [
        {"id": "broken", "when": {"violation": True}, "queue": "desk"},
        {"id": "unsure", "when": {"confidence": {"below": 0.52}}, "queue": "desk"},
        {"id": "sample", "share": 0.01, "queue": "desk"},
    ],
}
QUEUE = {"kind": "queue", "name": "desk", "title": "Desk"}
DOCUMENTS = "\n---\n".join(json.dumps(one) for one in (CONTRACT, POLICY, QUEUE))


@dataclass(frozen=True)
class Load:
    """So many events, of which this share is about somebody new."""

    topic: str
    events: int
    new_subjects: float

    def send(self, kafka: KafkaSettings) -> None:
        """Make the topic and send all of it, lz4, evenly over the partitions."""
        client = broker.admin(kafka, client_id="bench-admin")
        broker.create_topics(client, {self.topic: PARTITIONS})
        client.close()
        producer = broker.producer(kafka, client_id="bench")
        for number, value in enumerate(self.values()):
            producer.send(self.topic, value, partition=number % PARTITIONS)
        producer.flush(timeout=120)
        producer.close(timeout=60)

    def values(self) -> Iterator[bytes]:
        """Yield the events, the same ones each time."""
        chance = random.Random(1)  # noqa: S311 - no secret
        answers = [_answer(chance) for _ in range(DIFFERENT)]
        subjects = 0
        for number in range(self.events):
            is_new = subjects == 0 or chance.random() < self.new_subjects
            subject = subjects if is_new else chance.randrange(subjects)
            subjects += is_new
            text = f'"prediction_id": "application-{number:010}", "subject": "applicant-{subject:010}"'
            yield f"{{{text}, {answers[number % DIFFERENT]}}}".encode()


def _answer(chance: random.Random) -> str:
    sure = 0.5 + chance.random() / 2
    body = {
        "model": {"name": "loans", "version": "2026.11"},
        "predicted_at": "2026-11-20T09:30:00.123456Z",
        "input": {f"feature_{place:02}": round(chance.random() * 9e5, 2) for place in range(20)},
        "output": {"label": "approve", "confidence": sure, "scores": {"approve": sure, "refuse": 1 - sure}},
        "explanation": {f"feature_{place:02}": round(chance.random() - 0.5, 4) for place in range(8)},
        "segment": "a",
    }
    return json.dumps(body)[1:-1]
