"""Events that could not be read: listed for operators, and their bytes opened for who may see them."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from reviewsvc.db import logs, predictions
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor, Ref, parse
from reviewsvc.domain.frames import Record, unframe
from reviewsvc.domain.moments import moment
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.desk import Desk

Before = tuple[int, int, int]


class QuarantineMissingError(LookupError):
    """There is no such entry of an event that could not be read."""


class Kept(NamedTuple):
    """An event that could not be read: its place here and in Kafka, why, and its size in bytes."""

    log: str
    seq: int
    at: datetime
    topic: str | None
    partition: int | None
    offset: int | None
    offsets: int
    reason: str
    text: str
    size: int
    place: Before


def page(desk: Desk, before: Before | None, limit: int) -> list[Kept]:
    """Return such events, the newest first, before the last one of an earlier page."""
    with desk.sessions.begin() as session:
        return [_kept(row) for row in predictions.quarantined(session, before, limit)]


def open_raw(desk: Desk, log: str, seq: int, *, actor: Actor, at: datetime) -> Record:
    """Open the bytes of such an event, and log that. Raises QuarantineMissingError, KeyGoneError."""
    with desk.work(actor, at) as work:
        try:
            log_id = logs.find(work.session, log)
            entry = parse(logs.one(work.session, log_id, seq))
        except LookupError as error:
            raise QuarantineMissingError("There is no such event.") from error
        if entry.kind != "quarantine":
            raise QuarantineMissingError("That entry is no event that could not be read.")
        opened = unframe(desk.keyring.open_payload(work.session, entry, log_id))
        said = Said("access", f.Access(why="quarantine"), ref=Ref(log, seq))
        record(work.session, desk.keyring, [said], actor=actor, at=at)
        return opened


def _kept(row: sa.Row[Any]) -> Kept:
    entry = parse(bytes(row.body))
    said = msgspec.json.decode(entry.facts, type=f.Quarantine)
    source = entry.src
    return Kept(
        row.log,
        row.seq,
        moment(row.at),
        source.topic if source else None,
        source.partition if source else None,
        source.offset if source else None,
        said.offsets,
        said.reason,
        said.text,
        said.size,
        (row.at, row.log_id, row.seq),
    )
