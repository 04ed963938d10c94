"""Drops what is past its time of retention, month by month; leaf hashes stay, and holds keep theirs."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from reviewsvc.db import generation, installations, logs, past_keys, subjects
from reviewsvc.db import retention as rows
from reviewsvc.db.retention import StoredMonth
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.projections import Place
from reviewsvc.domain.review import UNFINISHED
from reviewsvc.domain.subject_rows import dropped_row
from reviewsvc.usecases import dossiers, withdrawing
from reviewsvc.usecases.activity import chosen_shard
from reviewsvc.usecases.desk import Desk, Work

_ABOUT: Final = "retention"
_HELD: Final = "payload_held"
_KEYS: Final = "data_key"
_AT_ONCE: Final = 500


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


def step(desk: Desk, *, at: datetime) -> int:
    """Drop what is past its time; return how many months that were."""
    return len(run(desk, actor=None, at=at))


def run(desk: Desk, *, actor: Actor | None, at: datetime) -> list[Dropped]:
    """Drop what is past its time, each month in a transaction of its own, and return what went.

    Payloads go before the rows that find them; open tasks about them end as withdrawn. What a hold keeps
    waits; each drop is an entry.
    """
    with desk.sessions.begin() as session:
        # What is said of tasks that end now is kept in this month.
        installations.ensure_months(session, at)
        due = [one for one in rows.months(session) if _is_due(one, at)]
    done = [_drop(desk, one, actor, at) for one in sorted(due, key=lambda one: one.parent)]
    # What a hold had kept of months that went before, and has been released since.
    _withdraw(desk, None, actor, at)
    done.append(_drop_released(desk.sessions, actor, at))
    done.append(_destroy_keys(desk.sessions, actor, at))
    return [one for one in done if one is not None]


def _drop(desk: Desk, month: StoredMonth, actor: Actor | None, at: datetime) -> Dropped | None:
    payloads = month if month.parent == "payload" else None
    closed = _withdraw(desk, payloads, actor, at)
    with desk.sessions.begin() as session:
        amount = rows.count(session, month)
    # Shared GEN, so that no hold is placed between the copy and the drop.
    with desk.work(actor, at) as work:
        session = work.session
        # Those too that an answer which was taken back has opened since.
        more = _close(work, payloads)
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
            tasks=closed + more,
        )
        place = _log(session, _head(session), said, actor, at)
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
        head = _head(session)
        amount = rows.drop_released(session)
        if amount == 0:
            return None
        _log(session, head, sf.Retention(_HELD, amount), actor, at)
    return Dropped(_HELD, None, None, None, amount, 0, 0)


def _destroy_keys(sessions: Sessions, actor: Actor | None, at: datetime) -> Dropped | None:
    """Destroy the keys of days and events of which nothing is stored any more, so that what went is gone."""
    with sessions.begin() as session:
        if not past_keys.find(session):
            return None
    with sessions.begin() as session:
        # Alone: nothing is sealed with one of these keys between the look and the end.
        generation.bump(session)
        found = past_keys.find(session)
        if not found:
            return None
        head = _head(session)
        subjects.destroy_keys(session, found, at)
        _log(session, head, sf.Retention(_KEYS, len(found)), actor, at)
    return Dropped(_KEYS, None, None, None, len(found), 0, 0)


def _withdraw(desk: Desk, month: StoredMonth | None, actor: Actor | None, at: datetime) -> int:
    """End the open tasks whose payloads go with a month, or went before; some hundreds a transaction."""
    closed, done = 0, _AT_ONCE
    while done == _AT_ONCE:
        with desk.work(actor, at) as work:
            done = _close(work, month)
        closed += done
    return closed


def _close(work: Work, month: StoredMonth | None) -> int:
    """End some of them; every head that this transaction writes to is locked here, at once."""
    session = work.session
    is_held = month is not None and rows.is_held(session, month)
    found = [] if is_held else rows.open_tasks(session, month, _AT_ONCE)
    locked = [dossiers.lock(session, task_id) for task_id, _ in found]
    logs.lock_heads(session, {_shard(session), *(log_id for _, log_id in found)})
    for row, task in locked:
        if task.status in UNFINISHED:
            withdrawing.withdraw(work, row, task, why="retention")
    return len(found)


def _head(session: Session) -> dict[int, logs.Head]:
    """Lock the log that tells of it: before the tables, as everywhere."""
    return logs.lock_heads(session, [_shard(session)])


def _shard(session: Session) -> int:
    return chosen_shard(installations.newest_logs(session, "activity"), _ABOUT)


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
