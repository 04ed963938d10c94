"""A bundle's view of its entries as a table: for reading and sampling, never for proving."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from reviewsvc.domain.entries import Actor, Payload, Ref

# Each column and its type: text, whole number, moment in microseconds, yes or no.
COLUMNS: Final[dict[str, str]] = {
    "log": "text",
    "seq": "number",
    "at": "moment",
    "kind": "text",
    "actor": "text",
    "ref": "text",
    "model": "text",
    "prediction": "text",
    "task": "text",
    "queue": "text",
    "rule": "text",
    "label": "text",
    "value": "text",
    "confidence": "text",
    "agreed": "flag",
    "reviewer": "text",
    "facts": "text",
}


class _Route(Struct, frozen=True, gc=False):
    task: str | None = None
    queue: str | None = None
    rule: str | None = None


class _Told(Struct, frozen=True, gc=False):
    model: str | None = None
    id: str | None = None
    task: str | None = None
    label: str | None = None
    value: str | None = None
    confidence: str | None = None
    agreed: bool | None = None
    reviewer: str | None = None
    route: _Route | None = None


class Line(Struct, frozen=True, gc=False):
    """What a bundle's maker reads of an entry whose bytes are those that were signed."""

    seq: int
    at: int
    kind: str
    actor: Actor | None = None
    ref: Ref | None = None
    facts: Raw = Raw(b"{}")
    payload: Payload | None = None


class Told(Struct, frozen=True, gc=False):
    """An entry and what facts of several kinds have in common."""

    line: Line
    facts: _Told

    @property
    def model(self) -> str | None:
        """The model that it is about."""
        return self.facts.model


_read_line = msgspec.json.Decoder(Line).decode
_read_facts = msgspec.json.Decoder(_Told).decode
_NO_ROUTE: Final = _Route()


def read_told(body: bytes) -> Told:
    """Read an entry that is known to be in its lawful form."""
    line = _read_line(body)
    return Told(line, _read_facts(line.facts))


def columns(name: str, entries: Sequence[Told]) -> dict[str, list[Any]]:
    """Return the columns of some entries of a log, in the order of COLUMNS."""
    lines, facts = [each.line for each in entries], [each.facts for each in entries]
    routes = [each.route or _NO_ROUTE for each in facts]
    return {
        "log": [name] * len(entries),
        "seq": [each.seq for each in lines],
        "at": [each.at for each in lines],
        "kind": [each.kind for each in lines],
        "actor": [f"{each.actor.kind}:{each.actor.id}" if each.actor else None for each in lines],
        "ref": [f"{each.ref.log}#{each.ref.seq}" if each.ref else None for each in lines],
        "model": [each.model for each in facts],
        "prediction": [each.id for each in facts],
        "task": [each.task or route.task for each, route in zip(facts, routes, strict=True)],
        "queue": [each.queue for each in routes],
        "rule": [each.rule for each in routes],
        "label": [each.label for each in facts],
        "value": [each.value for each in facts],
        "confidence": [each.confidence for each in facts],
        "agreed": [each.agreed for each in facts],
        "reviewer": [each.reviewer for each in facts],
        "facts": [bytes(each.facts) for each in lines],
    }
