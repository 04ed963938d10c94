"""Writes what people and processes did into the activity logs, and reads it back for a page."""

import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from reviewsvc.db import activities as rows
from reviewsvc.db import installations, log_health, logs
from reviewsvc.db.activities import Cursor
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.entries import Actor, EntryError, Ref, parse
from reviewsvc.domain.facts import Facts
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import ActivityRow, Place
from reviewsvc.usecases.keyring import Keyring

__all__ = ["Cursor", "Said", "facts_of", "recent", "record", "secrets"]


class Said(NamedTuple):
    """One act to be written down: the entry's kind and facts, and one JSON object of secrets as payload.

    `about`, a document's name, chooses the activity log; without it the actor does.
    """

    kind: str
    facts: Facts
    payload: bytes | None = None
    about: str = ""
    ref: Ref | None = None


def secrets(**texts: str) -> bytes | None:
    """Write what must not stand in an entry as its payload; None if there is nothing."""
    told = {name: text for name, text in texts.items() if text}
    return msgspec.json.encode(told) if told else None


def record(
    session: Session, keyring: Keyring, said: Sequence[Said], *, actor: Actor | None, at: datetime
) -> list[Place]:
    """Append acts that belong to no case, in the caller's transaction, which locks nothing afterwards."""
    shards = installations.newest_logs(session, "activity")
    chosen = [chosen_shard(shards, each.about or (actor.id if actor else "")) for each in said]
    heads = logs.lock_heads(session, set(chosen))
    places = [
        _append(session, keyring, heads[log_id], each, actor=actor, at=at)
        for each, log_id in zip(said, chosen, strict=True)
    ]
    logs.save_heads(session, heads)
    return places


def recent(
    sessions: Sessions,
    *,
    before: Cursor | None = None,
    limit: int = 50,
    kinds: Collection[str] | None = None,
    actors: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ActivityRow]:
    """Return the last acts of all activity logs, the newest first; `before` goes on after an earlier page."""
    between = (microseconds(since) if since else None, microseconds(until) if until else None)
    with sessions.begin() as session:
        return rows.recent(session, before, limit, kinds=kinds, actors=actors, between=between)


def facts_of(sessions: Sessions, found: Sequence[ActivityRow]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the facts of acts, by log and seq: they hold no secret. What was tampered with may have none."""
    with sessions.begin() as session:
        bodies = log_health.bodies(session, [(row.log_id, row.seq) for row in found])
    told: dict[tuple[int, int], dict[str, Any]] = {}
    for row in bodies:
        with suppress(EntryError):
            told[row.log_id, row.seq] = msgspec.json.decode(parse(bytes(row.body)).facts)
    return told


def _append(
    session: Session, keyring: Keyring, head: logs.Head, said: Said, *, actor: Actor | None, at: datetime
) -> Place:
    clock = microseconds(at)
    # The key of the day on which the entry will say that it was written: with that day's month it goes.
    day = max(clock, head.last_at)
    sealed = said.payload and keyring.seal_for_day(session, head.log_id, day, said.payload)
    return logs.append(
        session, head, said.kind, said.facts, clock=clock, actor=actor, ref=said.ref, payload=sealed or None
    )


def chosen_shard(shards: Sequence[int], text: str) -> int:
    """Return the activity log of acts that belong to no case, by what they are about."""
    return shards[zlib.crc32(text.encode()) % len(shards)]
