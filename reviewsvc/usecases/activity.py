"""Writes what people and processes did into the activity logs, and reads it back for a page."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from reviewsvc.db import activities as rows
from reviewsvc.db import installations, logs
from reviewsvc.db.activities import Cursor
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.facts import Facts
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import ActivityRow, Place
from reviewsvc.usecases.keyring import Keyring

__all__ = ["Cursor", "Said", "log_for", "recent", "record"]


class Said(NamedTuple):
    """One act to be written down: the entry's kind and facts, and secrets for its payload."""

    kind: str
    facts: Facts
    secrets: dict[str, str] | None = None
    ref: Ref | None = None


def record(
    session: Session,
    keyring: Keyring,
    said: Iterable[Said],
    *,
    actor: Actor | None,
    at: datetime,
    about: str | None = None,
) -> list[Place]:
    """Append acts that belong to no case, in the caller's transaction; nothing may be locked after it.

    `about` (a model's name) chooses the activity log, else the actor does.
    """
    log_id = log_for(session, about or (actor.id if actor else ""))
    clock = microseconds(at)
    heads = logs.lock_heads(session, [log_id])
    places = []
    for each in said:
        sealed = None
        if each.secrets:
            sealed = keyring.seal_for_day(session, log_id, clock, msgspec.json.encode(each.secrets))
        places.append(
            logs.append(
                session,
                heads[log_id],
                each.kind,
                each.facts,
                clock=clock,
                actor=actor,
                ref=each.ref,
                payload=sealed,
            )
        )
    logs.save_heads(session, heads)
    return places


def log_for(session: Session, text: str) -> int:
    """Choose the activity log of a model's name or an actor; of a case, its task knows it."""
    shards = installations.newest_logs(session, "activity")
    return shards[zlib.crc32(text.encode()) % len(shards)]


def recent(sessions: Sessions, *, before: Cursor | None = None, limit: int = 50) -> list[ActivityRow]:
    """Return the last acts of all activity logs, the newest first; `before` goes on after an earlier page."""
    with sessions.begin() as session:
        return rows.recent(session, before, limit)
