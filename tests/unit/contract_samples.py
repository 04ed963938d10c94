from typing import Any

import msgspec

from reviewsvc.domain.contract import Contract, read_contract
from reviewsvc.domain.contract_check import CompiledContract, compile_contract
from reviewsvc.domain.events import Event, read_event

PLAIN: dict[str, Any] = {
    "kind": "contract",
    "name": "loans",
    "owner": "credit desk",
    "risk_tier": "high",
    "retention": {"class": "standard", "keep_days": 365},
    "output": {"type": "class", "classes": ["refuse", "approve"]},
    "segments": ["a", "b"],
    "versions": ["1", "2"],
    "fields": [
        {"name": "income", "type": "number", "unit": "dollars a month", "min": 0, "max": 100_000},
        {"name": "dependents", "type": "integer", "unit": None, "min": 0, "nullable": True},
        {"name": "property type", "type": "category", "values": [1, {"value": 2, "label": "house"}, "other"]},
        {"name": "self employed", "type": "boolean", "required": False},
        {"name": "remarks", "type": "string", "max_length": 20, "nullable": True, "required": False},
        {"name": "history", "type": "json", "required": False},
    ],
}
GOOD_INPUT: dict[str, Any] = {"income": 4200.5, "dependents": 2, "property type": "other"}


def plain(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**PLAIN, **changes}.items() if value is not ...}


def contract(**changes: Any) -> Contract:
    return read_contract(plain(**changes))


def compiled(**changes: Any) -> CompiledContract:
    return compile_contract(contract(**changes))


def event(value: Any = None, *, output: Any = None, **changes: Any) -> Event:
    body = {
        "prediction_id": "p-1",
        "model": {"name": "loans", "version": "1"},
        "predicted_at": "2026-11-20T09:30:00Z",
        "input": GOOD_INPUT if value is None else value,
        "output": {"label": "approve", "confidence": 0.9} if output is None else output,
        **changes,
    }
    read = read_event(msgspec.json.encode(body), (), "topic")
    assert isinstance(read, Event), read
    return read
