"""What reading, checking and routing one event costs; run with `python tests/benchmarks/bench_routing.py`."""

import hashlib
import hmac
import json
import timeit
from typing import Any

import msgspec

from reviewsvc.domain.contract import read_contract
from reviewsvc.domain.contract_check import CompiledContract, compile_contract
from reviewsvc.domain.events import Event, read_event
from reviewsvc.domain.policy import read_policy
from reviewsvc.domain.policy_compile import CompiledPolicy, compile_policy
from reviewsvc.domain.queue import read_queue

TARGET_US = 8.0
CONTRACT: dict[str, Any] = {
    "name": "loans",
    "owner": "credit",
    "risk_tier": "high",
    "retention": {"class": "standard", "keep_days": 365},
    "output": {"type": "class", "classes": ["approve", "refuse"]},
    "segments": ["a", "b", "c"],
    "fields": [
        {"name": f"feature_number_{place:02}", "type": "number", "unit": "dollars", "min": 0, "max": 1e6}
        for place in range(20)
    ],
}
POLICY: dict[str, Any] = {
    "name": "loans",
    "rules": [
        {"id": "broken", "when": {"violation": True}, "queue": "desk"},
        {"id": "refusals", "when": {"label": "refuse"}, "queue": "desk"},
        {"id": "unsure", "when": {"confidence": {"below": 0.8}}, "queue": "desk"},
        {"id": "close", "when": {"margin": {"below": 0.1}, "segment": ["a", "b"]}, "queue": "desk"},
        {"id": "sample", "share": 0.02, "queue": "desk"},
    ],
}


def sample_event() -> bytes:
    """Make an event of about 1 KB with 20 inputs."""
    body = {
        "prediction_id": "application-0000123456",
        "model": {"name": "loans", "version": "2026.11"},
        "predicted_at": "2026-11-20T09:30:00.123456Z",
        "input": {f"feature_number_{place:02}": place * 137.31 for place in range(20)},
        "output": {"label": "approve", "confidence": 0.93, "scores": {"approve": 0.93, "refuse": 0.07}},
        "explanation": {f"feature_number_{place:02}": place / 7 - 0.4 for place in range(6)},
        "subject": "applicant-0000123456",
        "segment": "a",
    }
    return json.dumps(body).encode()


def draw(rule: str, source: str, prediction_id: str) -> float:
    """Draw as the service does: the first 53 bits of a keyed hash."""
    digest = hmac.digest(b"k" * 32, f"{rule}\0{source}\0{prediction_id}".encode(), hashlib.sha256)
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def compiled() -> tuple[CompiledContract, CompiledPolicy]:
    """Compile the benchmark's contract and policy."""
    contract = compile_contract(read_contract(CONTRACT))
    queues = {"desk": read_queue({"name": "desk"})}
    return contract, compile_policy(read_policy(POLICY), contract, queues)


def measure() -> dict[str, float]:
    """Time each step in microseconds an event, best of five runs of 20,000."""
    value = sample_event()
    contract, policy = compiled()
    event = read_event(value, (), "topic")
    if not isinstance(event, Event):
        raise TypeError(event.text)
    checked = contract.check(event)
    steps = {
        "read_event": lambda: read_event(value, (), "topic"),
        "check": lambda: contract.check(event),
        "route": lambda: policy.route(event, checked, draw),
        "of which draw": lambda: draw("sample", "topic", event.prediction_id),
        "json.loads, for comparison": lambda: json.loads(value),
        "msgspec untyped, for comparison": lambda: msgspec.json.decode(value),
    }
    return {
        name: min(timeit.repeat(step, number=20_000, repeat=5)) / 20_000 * 1e6 for name, step in steps.items()
    }


def main() -> None:
    """Print microseconds an event."""
    costs = measure()
    total = costs["read_event"] + costs["check"] + costs["route"]
    for name, cost in {f"total (target {TARGET_US:g})": total, **costs}.items():
        print(f"{cost:7.2f} us  {name}")  # noqa: T201 - a benchmark prints its table


if __name__ == "__main__":
    main()
