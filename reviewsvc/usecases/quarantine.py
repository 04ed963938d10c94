"""Events that could not be read: listed for operators, and their bytes opened for who may see them."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from reviewsvc.db import logs, predictions
from reviewsvc.db import subjects as kept
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor, Entry, Ref, parse
from reviewsvc.domain.frames import Record, unframe
from reviewsvc.domain.moments import moment
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.subjects import SubjectMissingError

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


def page(desk: Desk, before: Before | None, limit: int, *, topic: str | None = None) -> list[Kept]:
    """Return such events, of one topic if it is given, the newest first, before the last one of a page."""
    with desk.sessions.begin() as session:
        found = predictions.quarantined(session, before, limit, topic=topic)
        return [_kept(row.log, parse(bytes(row.body)), row.log_id) for row in found]


def topics(desk: Desk) -> list[str]:
    """Return the topics that were captured."""
    with desk.sessions.begin() as session:
        return predictions.topics(session)


def get(desk: Desk, log_id: int, seq: int) -> tuple[Kept, Entry]:
    """Return one such event with its entry. Raises QuarantineMissingError."""
    with desk.sessions.begin() as session:
        name = logs.names(session, [log_id]).get(log_id, "")
        return _kept(name, _entry(session, log_id, seq), log_id), _entry(session, log_id, seq)


def find(desk: Desk, log: str, seq: int) -> Kept:
    """Return one such event by its log's name. Raises QuarantineMissingError."""
    with desk.sessions.begin() as session:
        log_id = _log_id(session, log)
        return _kept(log, _entry(session, log_id, seq), log_id)


def key_of(session: Session, log: str, seq: int) -> bytes:
    """Return the id of the key that such an event alone has.

    Raises QuarantineMissingError, and SubjectMissingError once the key is gone.
    """
    payload = _entry(session, _log_id(session, log), seq).payload
    key_id = bytes.fromhex(payload.key) if payload else b""
    if not kept.has_key(session, key_id):
        raise SubjectMissingError("This event has been erased already, or is no longer kept.")
    return key_id


def is_gone(desk: Desk, entry: Entry) -> bool:
    """Say whether such an event was erased: nobody can read its bytes any more."""
    with desk.sessions.begin() as session:
        return entry.payload is None or not kept.has_key(session, bytes.fromhex(entry.payload.key))


def open_raw(desk: Desk, log: str, seq: int, *, actor: Actor, at: datetime) -> Record:
    """Open the bytes of such an event, and log that. Raises QuarantineMissingError, KeyGoneError."""
    with desk.work(actor, at) as work:
        log_id = _log_id(work.session, log)
        entry = _entry(work.session, log_id, seq)
        opened = unframe(desk.keyring.open_payload(work.session, entry, log_id))
        said = Said("access", f.Access(why="quarantine"), ref=Ref(log, seq))
        record(work.session, desk.keyring, [said], actor=actor, at=at)
        return opened


def _log_id(session: Session, log: str) -> int:
    try:
        return logs.find(session, log)
    except LookupError as error:
        raise QuarantineMissingError(f"There is no log {log}.") from error


def _entry(session: Session, log_id: int, seq: int) -> Entry:
    try:
        entry = parse(logs.one(session, log_id, seq))
    except LookupError as error:
        raise QuarantineMissingError("There is no such event.") from error
    if entry.kind != "quarantine":
        raise QuarantineMissingError("That entry is no event that could not be read.")
    return entry


def _kept(log: str, entry: Entry, log_id: int) -> Kept:
    said = msgspec.json.decode(entry.facts, type=f.Quarantine)
    source = entry.src
    return Kept(
        log,
        entry.seq,
        moment(entry.at),
        source.topic if source else None,
        source.partition if source else None,
        source.offset if source else None,
        said.offsets,
        said.reason,
        said.text,
        said.size,
        (entry.at, log_id, entry.seq),
    )
