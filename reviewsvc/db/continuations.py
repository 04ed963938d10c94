"""Logs that go on as their next incarnation: how they end, what follows, and what moves there."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import logs
from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.facts import Continuation

_NEWEST: Final = (
    "SELECT DISTINCT ON (l.series) l.log_id, l.name, l.kind, h.size, "
    "coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = l.log_id), 0) AS sealed, "
    "l.series, l.incarnation, l.topic, l.partition, l.shard, l.model, h.next_offset, h.topic_id, h.last_at "
    "FROM log l JOIN head h USING (log_id) ORDER BY l.series, l.incarnation DESC"
)
_MOVES: Final = (
    "UPDATE task SET activity_log_id = %(new)s WHERE activity_log_id = %(old)s",
    "UPDATE model SET label_log_id = %(new)s WHERE label_log_id = %(old)s",
    "UPDATE capture_alarm SET log_id = %(new)s WHERE log_id = %(old)s",
)
_IDENTITY: Final = "UPDATE installation SET system_id = %(system_id)s, timeline = %(timeline)s"
_THAW: Final = (
    "UPDATE head h SET frozen = false FROM log l WHERE l.log_id = h.log_id AND h.frozen AND NOT EXISTS "
    "(SELECT FROM log later WHERE later.series = l.series AND later.incarnation > l.incarnation)"
)


class Standing(NamedTuple):
    """The newest incarnation of a log, as its head describes it; `sealed` is the size of its checkpoint."""

    log_id: int
    name: str
    kind: str
    size: int
    sealed: int
    series: str
    incarnation: int
    topic: str | None
    partition: int | None
    shard: int | None
    model: str | None
    next_offset: int | None
    topic_id: str | None
    last_at: int


def newest(session: Session) -> list[Standing]:
    """Return the newest incarnation of every log, by series."""
    return [Standing._make(row) for row in run(session, _NEWEST, {})]


def lock(session: Session) -> None:
    """Lock every head in the order of their ids, so that what is read of them stands."""
    session.execute(sa.select(t.head.c.log_id).order_by(t.head.c.log_id).with_for_update())


def open_next(session: Session, last: Standing, said: Continuation, *, clock: int, actor: Actor) -> int:
    """Make the incarnation that follows a log, with its first entry; return its id."""
    columns = {
        name: getattr(last, name) for name in ("kind", "series", "topic", "partition", "shard", "model")
    }
    made = sa.insert(t.log).values(incarnation=last.incarnation + 1, **columns).returning(t.log.c.log_id)
    log_id: int = session.scalars(made).one()
    place = {"next_offset": said.next_offset, "topic_id": said.topic_id}
    session.execute(sa.insert(t.head).values(log_id=log_id, **place))
    heads = logs.lock_heads(session, [log_id])
    ref = Ref(last.name, last.size - 1) if last.size else None
    logs.append(session, heads[log_id], "continuation", said, clock=clock, actor=actor, ref=ref)
    logs.save_heads(session, heads)
    return log_id


def move(session: Session, old: int, new: int) -> None:
    """Let what is written to a log be written to the one that follows: cases, models, alarms."""
    for statement in _MOVES:
        run(session, statement, {"old": old, "new": new})


def settle(session: Session, system_id: str, timeline: int) -> None:
    """Note where the database lives now."""
    run(session, _IDENTITY, {"system_id": system_id, "timeline": timeline})


def thaw(session: Session) -> None:
    """Let every log be written to again that has not gone on as another."""
    run(session, _THAW, {})


def requested(session: Session, request: dict[str, Any] | None) -> None:
    """Keep who asks for an adoption that somebody else is to approve."""
    session.execute(sa.update(t.restore_guard).values(request=request))
