"""The access report: who opened whose payload, when and why, and what left in bundles and pulls."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from reviewsvc.db import accesses as rows
from reviewsvc.db.activities import Cursor
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor, Entry, parse
from reviewsvc.domain.labels import rfc3339
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.story_words import WHY
from reviewsvc.domain.subject_facts import SubjectExport
from reviewsvc.usecases import csv_text, names
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring

__all__ = ["FIELDS", "NEWEST", "Access", "Cursor", "Wanted", "as_csv", "page"]

NEWEST: Final = Cursor(2**63 - 1, 2**31 - 1, 2**63 - 1)
FIELDS: Final = (
    "at",
    "who",
    "actor",
    "kind",
    "why",
    "model",
    "subject",
    "case_log",
    "case_seq",
    "entry_log",
    "entry_seq",
)
_AT_ONCE: Final = 1_000
_EXPORTS: Final = {
    "labels": "pulled labels",
    "bundle": "made a bundle",
    "download": "took a bundle",
    "cancelled": "cancelled a bundle",
    "access_report": "took this report",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which part of the report: a part of a name or login, and a time; what is empty is not asked."""

    who: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Access(NamedTuple):
    """A payload that was opened, or payloads that left; `subject` is the pseudonym of whom it is about."""

    at: datetime
    who: str
    actor: str
    kind: str
    why: str
    model: str | None
    subject: str | None
    case: tuple[int, int] | None
    case_log: str | None
    log_id: int
    log: str
    seq: int


class Page(NamedTuple):
    """A page of the report and where the next one begins."""

    items: list[Access]
    next: Cursor | None


def page(sessions: Sessions, wanted: Wanted, before: Cursor | None, limit: int) -> Page:
    """Return a page of the report, the newest first."""
    span = _span(sessions, wanted)
    with sessions.begin() as session:
        return _page(session, span, before or NEWEST, limit)


def as_csv(
    sessions: Sessions, keyring: Keyring, wanted: Wanted, *, actor: Actor, at: datetime
) -> Iterator[bytes]:
    """Write the report as CSV, in pages; that it leaves is logged before it does."""
    span = _span(sessions, wanted)
    with sessions.begin() as session:
        amount = rows.count(session, span, NEWEST)
        said = Said("export", f.Export("access_report", None, amount, 0))
        record(session, keyring, [said], actor=actor, at=at)
    return _lines(sessions, span)


def _span(sessions: Sessions, wanted: Wanted) -> rows.Span:
    since = microseconds(wanted.since) if wanted.since else 0
    until = microseconds(wanted.until) if wanted.until else NEWEST.at
    return rows.Span(since, until, names.actors_called(sessions, wanted.who) if wanted.who else None)


def _page(session: Session, span: rows.Span, before: Cursor, limit: int) -> Page:
    found = rows.page(session, span, before, limit + 1)
    read = [(row, parse(bytes(row.body))) for row in found[:limit]]
    called = names.called(session, {row.actor for row, _ in read})
    ids = rows.log_ids(session, {entry.ref.log for _, entry in read if entry.ref})
    places = [_place(row, entry, ids) for row, entry in read]
    cases = rows.cases(session, [place for place in places if place is not None])
    logs = {log_id: name for name, log_id in ids.items()}
    items = [
        _access(row, entry, called, (place, cases.get(place), logs.get(place[0])) if place else None)
        for (row, entry), place in zip(read, places, strict=True)
    ]
    last = found[limit - 1] if len(found) > limit else None
    return Page(items, Cursor(last.at, last.log_id, last.seq) if last else None)


def _place(row: sa.Row[Any], entry: Entry, ids: dict[str, int]) -> tuple[int, int] | None:
    if row.kind != "access":
        return None
    if row.prediction_log_id is not None:
        return row.prediction_log_id, row.prediction_seq
    known = entry.ref and ids.get(entry.ref.log)
    return (known, entry.ref.seq) if known and entry.ref else None


def _access(
    row: sa.Row[Any],
    entry: Entry,
    called: dict[str, str],
    about: tuple[tuple[int, int], sa.Row[Any] | None, str | None] | None,
) -> Access:
    place, case, log = about or (None, None, None)
    said = msgspec.json.decode(entry.facts, type=f.KINDS[entry.kind])
    return Access(
        at=moment(row.at),
        who=called[row.actor],
        actor=row.actor,
        kind=row.kind,
        why=_why(said),
        model=case.model if case else getattr(said, "model", None),
        subject=bytes(case.subject).hex() if case and case.subject else getattr(said, "subject", None),
        case=place if case else None,
        case_log=log,
        log_id=row.log_id,
        log=row.log,
        seq=row.seq,
    )


def _why(said: f.Facts) -> str:
    if isinstance(said, f.Access):
        return WHY.get(said.why, said.why)
    if isinstance(said, f.Export):
        opened = "" if not said.payloads else f", {said.payloads:,} payloads disclosed"
        return f"{_EXPORTS.get(said.what, said.what)}: {said.rows:,} entries{opened}"
    if isinstance(said, SubjectExport):
        return f"gave out all that is held of a subject: {said.predictions:,} predictions"
    return ""


def _lines(sessions: Sessions, span: rows.Span) -> Iterator[bytes]:
    yield csv_text.as_csv([FIELDS])
    before: Cursor | None = NEWEST
    while before is not None:
        with sessions.begin() as session:
            found = _page(session, span, before, _AT_ONCE)
        yield csv_text.as_csv([_texts(each) for each in found.items])
        before = found.next


def _texts(one: Access) -> tuple[object, ...]:
    case_seq = one.case[1] if one.case else None
    told = (one.who, one.actor, one.kind, one.why, one.model, one.subject, one.case_log, case_seq)
    return tuple(csv_text.plain(each) for each in (rfc3339(microseconds(one.at)), *told, one.log, one.seq))
