"""A bundle's view of its entries as a table: for reading and sampling, never for proving."""

import csv
import io
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from reviewsvc.domain.entries import Entry
from reviewsvc.domain.moments import moment

COLUMNS = (
    "log",
    "seq",
    "at",
    "kind",
    "actor",
    "ref",
    "model",
    "prediction",
    "task",
    "queue",
    "rule",
    "label",
    "value",
    "confidence",
    "agreed",
    "reviewer",
    "facts",
)


class _Route(Struct, frozen=True):
    task: str | None = None
    queue: str | None = None
    rule: str | None = None


class Told(Struct, frozen=True):
    """What facts of several kinds have in common."""

    model: str | None = None
    id: str | None = None
    task: str | None = None
    label: str | None = None
    value: str | None = None
    confidence: str | None = None
    agreed: bool | None = None
    reviewer: str | None = None
    route: _Route | None = None


read_told = msgspec.json.Decoder(Told).decode
_NO_ROUTE = _Route()


def header() -> bytes:
    """Return the names of the columns."""
    return (",".join(COLUMNS) + "\r\n").encode()


def rows(name: str, entries: Iterable[tuple[Entry, Told]]) -> bytes:
    """Return a row for each entry of a log."""
    text = io.StringIO()
    csv.writer(text).writerows(_row(name, entry, told) for entry, told in entries)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _row(name: str, entry: Entry, told: Told) -> tuple[object, ...]:
    route = told.route or _NO_ROUTE
    return (
        name,
        entry.seq,
        moment(entry.at).isoformat(timespec="microseconds"),
        entry.kind,
        f"{entry.actor.kind}:{entry.actor.id}" if entry.actor else "",
        f"{entry.ref.log}#{entry.ref.seq}" if entry.ref else "",
        told.model,
        told.id,
        told.task or route.task,
        route.queue,
        route.rule,
        told.label,
        told.value,
        told.confidence,
        told.agreed,
        told.reviewer,
        bytes(entry.facts).decode(),
    )
