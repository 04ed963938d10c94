from typing import Any

from reviewsvc.domain.events import Event
from reviewsvc.domain.policy import read_policy
from reviewsvc.domain.policy_compile import CompiledPolicy, compile_policy
from reviewsvc.domain.queue import read_queue
from reviewsvc.domain.routing import Route
from tests.unit.contract_samples import compiled

LOANS = compiled()
QUEUES = {
    "desk": read_queue({"name": "desk"}),
    "leads": read_queue(
        {"name": "leads", "priority": 80, "due_in_minutes": 30, "reviewers": 2, "blind": True}
    ),
}


def made(*rules: dict[str, Any], **changes: Any) -> CompiledPolicy:
    named = [{"id": f"r{place}", "queue": "desk", **rule} for place, rule in enumerate(rules)]
    return compile_policy(read_policy({"name": "loans", "rules": named}), LOANS, QUEUES, **changes)


def never(_rule: str, _source: str, _prediction_id: str) -> float:
    return 0.999999


def route(policy: CompiledPolicy, sent: Event, draw: Any = never) -> Route:
    return policy.route(sent, LOANS.check(sent), draw)


def out(label: Any = "approve", confidence: Any = 0.9, **more: Any) -> dict[str, Any]:
    return {"output": {"label": label, "confidence": confidence, **more}}


def scored(first: float, second: float) -> dict[str, Any]:
    return out(scores={"approve": first, "refuse": second})
