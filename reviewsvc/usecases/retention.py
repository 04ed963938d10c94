"""Drops what is past its time of retention, month by month; leaf hashes stay, and holds keep theirs."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from reviewsvc.db import generation, installations, logs
from reviewsvc.db import retention as rows
from reviewsvc.db.retention import StoredMonth
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.projections import Place
from reviewsvc.domain.subject_rows import dropped_row
from reviewsvc.usecases.activity import chosen_shard

_ABOUT: Final = "retention"
_HELD: Final = "payload_held"


class Month(NamedTuple):
    """A stored month: of which data and class, its size, when its time is over, whether it is held."""

    table: str
    retention_class: str
    since: datetime
    until: datetime
    bytes: int
    keep_days: int | None
    drop_at: datetime | None
    is_held: bool


class Dropped(NamedTuple):
    """What was dropped: rows, those of them that were kept for a hold, and bytes on the disk."""

    table: str
    retention_class: str | None
    since: datetime | None
    until: datetime | None
    rows: int
    held: int
    bytes: int


def show(sessions: Sessions) -> list[Month]:
    """Return every stored month, by class."""
    with sessions.begin() as session:
        return [_month(one) for one in rows.months(session)]


def step(sessions: Sessions, *, at: datetime) -> int:
    """Drop what is past its time; return how many months that were."""
    return len(run(sessions, actor=None, at=at))


def run(sessions: Sessions, *, actor: Actor | None, at: datetime) -> list[Dropped]:
    """Drop what is past its time, each month in a transaction of its own, and return what went.

    Payloads go before the rows that find them. What a hold keeps waits; each drop is an entry.
    """
    with sessions.begin() as session:
        due = [one for one in rows.months(session) if _is_due(one, at)]
    done = [_drop(sessions, one, actor, at) for one in sorted(due, key=lambda one: one.parent)]
    done.append(_drop_released(sessions, actor, at))
    return [one for one in done if one is not None]


def _drop(sessions: Sessions, month: StoredMonth, actor: Actor | None, at: datetime) -> Dropped | None:
    with sessions.begin() as session:
        amount = rows.count(session, month)
    with sessions.begin() as session:
        # Shared, so that no hold is placed between the copy and the drop.
        generation.share(session)
        heads = _head(session)
        held = rows.drop(session, month, moment(month.since).date())
        if held is None:
            return None
        said = sf.Retention(
            table=month.parent,
            rows=amount,
            retention_class=month.name,
            since=month.since,
            until=month.until,
            held=held,
            bytes=month.bytes,
        )
        place = _log(session, heads, said, actor, at)
        row = dropped_row(place, said, month.retention_class)
        assert row is not None
        rows.add_dropped(session, row)
    since, until = moment(month.since), moment(month.until)
    return Dropped(month.parent, month.name, since, until, amount, held, month.bytes)


def _drop_released(sessions: Sessions, actor: Actor | None, at: datetime) -> Dropped | None:
    with sessions.begin() as session:
        if not rows.has_held_rows(session):
            return None
        generation.share(session)
        heads = _head(session)
        amount = rows.drop_released(session)
        if amount == 0:
            return None
        _log(session, heads, sf.Retention(_HELD, amount), actor, at)
    return Dropped(_HELD, None, None, None, amount, 0, 0)


def _head(session: Session) -> dict[int, logs.Head]:
    """Lock the log that tells of it: before the tables, as everywhere."""
    shard = chosen_shard(installations.newest_logs(session, "activity"), _ABOUT)
    return logs.lock_heads(session, [shard])


def _log(
    session: Session, heads: dict[int, logs.Head], said: sf.Retention, actor: Actor | None, at: datetime
) -> Place:
    (head,) = heads.values()
    place = logs.append(session, head, "retention", said, clock=microseconds(at), actor=actor)
    logs.save_heads(session, heads)
    return place


def _is_due(month: StoredMonth, at: datetime) -> bool:
    over = _drop_at(month)
    return over is not None and over <= at and not month.is_held


def _drop_at(month: StoredMonth) -> datetime | None:
    return None if month.keep_days is None else moment(month.until) + timedelta(days=month.keep_days)


def _month(one: StoredMonth) -> Month:
    since, until = moment(one.since), moment(one.until)
    return Month(one.parent, one.name, since, until, one.bytes, one.keep_days, _drop_at(one), one.is_held)
