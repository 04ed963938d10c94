"""Logs: their heads, and the entries that are appended to them, each chained to the one before."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain import entries, projections
from reviewsvc.domain.entries import Actor, Entry, Ref
from reviewsvc.domain.facts import Facts, Opened
from reviewsvc.domain.projections import Place

_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "predictions": ("topic", "partition"),
    "outcomes": ("topic", "partition"),
    "ingest": ("shard",),
    "activity": ("shard",),
    "labels": ("model",),
    "root": (),
}


_LOCK: Final = (
    "SELECT h.*, l.name, l.kind, i.origin FROM head h JOIN log l USING (log_id) CROSS JOIN installation i "
    "WHERE h.log_id = ANY(%(log_ids)s) ORDER BY h.log_id FOR UPDATE OF h"
)
_SWAP: Final = (
    "UPDATE head SET size = %(size)s, last_hash = %(last_hash)s, last_at = %(last_at)s "
    "WHERE log_id = %(log_id)s AND epoch = %(epoch)s AND size = %(stored_size)s "
    "AND last_hash = %(stored_hash)s RETURNING log_id"
)
_NAMES: Final = "SELECT log_id, name FROM log WHERE log_id = ANY(%(log_ids)s)"
_ONE: Final = "SELECT body FROM entry WHERE log_id = %(log_id)s AND seq = %(seq)s"
_CIPHERTEXT: Final = " UNION ALL ".join(
    f"SELECT ciphertext FROM {table} WHERE log_id = %(log_id)s AND seq = %(seq)s AND at = %(at)s"
    for table in ("payload", "payload_held")
)
_ENTRY: Final = "INSERT INTO entry (log_id, seq, body) VALUES (%(log_id)s, %(seq)s, %(body)s)"
_PAYLOAD: Final = (
    "INSERT INTO payload (retention_class, at, log_id, seq, ciphertext) "
    "VALUES (%(retention_class)s, %(at)s, %(log_id)s, %(seq)s, %(ciphertext)s)"
)
_ACTIVITY: Final = (
    "INSERT INTO activity (log_id, seq, at, kind, actor, task_id, object) "
    "VALUES (%(log_id)s, %(seq)s, %(at)s, %(kind)s, %(actor)s, %(task_id)s, %(object)s)"
)
# An entry with what belongs to it is one statement, by whether the log is one of activity and has a payload.
_INSERTS: Final = {
    (False, False): _ENTRY,
    (False, True): f"WITH stored AS ({_PAYLOAD}) {_ENTRY}",
    (True, False): f"WITH acted AS ({_ACTIVITY}) {_ENTRY}",
    (True, True): f"WITH stored AS ({_PAYLOAD}), acted AS ({_ACTIVITY}) {_ENTRY}",
}


class LogMissingError(LookupError):
    """There is no such log, or no such entry in it."""


class LogFrozenError(RuntimeError):
    """The log takes no more entries: the database was restored, or it has gone on as its next incarnation."""


class HeadMovedError(RuntimeError):
    """Somebody wrote to the log without this transaction's lock."""


class SealedPayload(NamedTuple):
    """An encrypted payload: what its entry says of it, and the bytes that are stored."""

    said: entries.Payload
    ciphertext: bytes


class StoredEntry(NamedTuple):
    """An entry as it is stored: its seq and its exact bytes."""

    seq: int
    body: bytes


@dataclass(slots=True)
class Head:
    """A log's locked head: where its next entry goes, and what the database still holds of it."""

    log_id: int
    origin: str
    name: str
    kind: str
    epoch: int
    size: int
    last_hash: bytes
    last_at: int
    stored_size: int
    stored_hash: bytes


def lock_heads(session: Session, log_ids: Collection[int]) -> dict[int, Head]:
    """Lock these logs' heads until the transaction ends, in one order everywhere, and return them by log id.

    Label heads come after all others, in a second call. Raises LogMissingError and LogFrozenError.
    """
    found = run(session, _LOCK, {"log_ids": list(log_ids)}).all()
    if len(found) != len(set(log_ids)):
        raise LogMissingError(f"of the logs {sorted(log_ids)} only {len(found)} exist")
    frozen = [row.name for row in found if row.frozen]
    if frozen:
        raise LogFrozenError(
            f"{', '.join(frozen)} is frozen: the database was restored; run `reviewsvc restore adopt`"
        )
    return {row.log_id: _head(row) for row in found}


def append(
    session: Session,
    head: Head,
    kind: str,
    facts: Facts,
    *,
    clock: int,
    actor: Actor | None = None,
    ref: Ref | None = None,
    payload: SealedPayload | None = None,
    retention_class: int = 0,
) -> Place:
    """Write the next entry of a locked log, with its payload and, in an activity log, its row of `activity`.

    `clock` is in microseconds; the entry's time is never before the one of the entry before. The head is
    moved in memory only: `save_heads` ends the work.
    """
    place = Place(head.log_id, head.size, max(clock, head.last_at))
    made = Entry(
        v=1,
        log=f"{head.origin}/{head.name}",
        seq=place.seq,
        prev=head.last_hash.hex(),
        at=place.at,
        kind=kind,
        actor=actor,
        ref=ref,
        facts=msgspec.Raw(entries.encode_facts(facts)),
        payload=payload.said if payload else None,
    )
    body = entries.encode(made)
    values = {"log_id": place.log_id, "seq": place.seq, "at": place.at, "body": body}
    if payload:
        values |= {"retention_class": retention_class, "ciphertext": payload.ciphertext}
    if head.kind == "activity":
        values |= projections.activity_row(place, made, facts)._asdict()
    run(session, _INSERTS[head.kind == "activity", payload is not None], values)
    head.size, head.last_hash, head.last_at = place.seq + 1, entries.leaf_hash(body), place.at
    return place


def save_heads(session: Session, heads: Mapping[int, Head]) -> None:
    """Write the moved heads back, each only if it still stands where it was when it was locked.

    Raises HeadMovedError, upon which nothing of the transaction may be kept.
    """
    for moved in heads.values():
        if moved.size != moved.stored_size:
            _swap(session, moved)


def create(
    session: Session,
    kind: str,
    *parts: str | int,
    clock: int,
    why: str,
    incarnation: int = 0,
) -> int:
    """Make a log, its head and its first entry, `opened`; return its id.

    `parts` follow the kind in its name: topic and partition, shard, model, or nothing. The origin is the
    installation's.
    """
    columns = dict(zip(_PARTS[kind], parts, strict=True))
    series = "/".join(map(str, (kind, *parts)))
    log_id: int = session.scalars(
        sa.insert(t.log)
        .values(kind=kind, series=series, incarnation=incarnation, **columns)
        .returning(t.log.c.log_id)
    ).one()
    session.execute(sa.insert(t.head).values(log_id=log_id))
    heads = lock_heads(session, [log_id])
    append(session, heads[log_id], "opened", Opened(why=why), clock=clock)
    save_heads(session, heads)
    return log_id


def local_name(session: Session, full_name: str) -> str:
    """Return a log's name without the installation's origin in front. Raises LogMissingError."""
    origin = session.scalars(sa.select(t.installation.c.origin)).one()
    if not full_name.startswith(f"{origin}/"):
        raise LogMissingError(f"{full_name} is no log of {origin}")
    return full_name.removeprefix(f"{origin}/")


def names(session: Session, log_ids: Collection[int]) -> dict[int, str]:
    """Return the names of logs by their ids."""
    found = run(session, _NAMES, {"log_ids": list(log_ids)})
    return {row.log_id: row.name for row in found}


def find(session: Session, name: str) -> int:
    """Return the id of the log of this name, which has no origin in front. Raises LogMissingError."""
    log_id = session.scalar(sa.select(t.log.c.log_id).where(t.log.c.name == name))
    if log_id is None:
        raise LogMissingError(f"there is no log {name}")
    return int(log_id)


def read(session: Session, log_id: int, after_seq: int, limit: int) -> list[StoredEntry]:
    """Return up to `limit` entries after a seq (-1 is the start), in order."""
    found = session.execute(
        sa.select(t.entry.c.seq, t.entry.c.body)
        .where(t.entry.c.log_id == log_id, t.entry.c.seq > after_seq)
        .order_by(t.entry.c.seq)
        .limit(limit)
    )
    return [StoredEntry(*row) for row in found]


def one(session: Session, log_id: int, seq: int) -> bytes:
    """Return an entry's bytes. Raises LogMissingError."""
    body = run(session, _ONE, {"log_id": log_id, "seq": seq}).scalar()
    if body is None:
        raise LogMissingError(f"log {log_id} has no entry {seq}")
    return bytes(body)


def ciphertext(session: Session, place: Place) -> bytes | None:
    """Return the stored bytes of an entry's payload; None once retention has dropped them."""
    found = run(session, _CIPHERTEXT, place._asdict()).scalar()
    return None if found is None else bytes(found)


def _head(row: sa.Row[Any]) -> Head:
    return Head(
        log_id=row.log_id,
        origin=row.origin,
        name=row.name,
        kind=row.kind,
        epoch=row.epoch,
        size=row.size,
        last_hash=bytes(row.last_hash),
        last_at=row.last_at,
        stored_size=row.size,
        stored_hash=bytes(row.last_hash),
    )


def _swap(session: Session, moved: Head) -> None:
    swapped = run(session, _SWAP, asdict(moved)).first()
    if swapped is None:
        raise HeadMovedError(f"{moved.name} has moved on since entry {moved.stored_size}")
    moved.stored_size, moved.stored_hash = moved.size, moved.last_hash
