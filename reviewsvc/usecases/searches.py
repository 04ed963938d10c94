"""Search: entries by what they are about, a page at a time, in bounded time however long the logs are."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.crypto.keyed import find_hash
from reviewsvc.db import logs, searches, task_lists
from reviewsvc.db.searches import Cursor, Window
from reviewsvc.db.sessions import Session
from reviewsvc.domain.moments import microseconds, moment
from reviewsvc.domain.projections import signed64
from reviewsvc.domain.showing import number_words
from reviewsvc.usecases import names, subjects
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.people import get_by_login

__all__ = ["KINDS", "Cursor", "Found", "Page", "SearchError", "Wanted", "page"]

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "prediction": ("predictions", "ingest"),
    "decision": (),
    "retraction": (),
    "task_moved": (),
    "access": (),
    "label": ("labels",),
}
_LATEST: Final = 2**63 - 1
# How many entries a page looks through, at first and at most: about a second's work.
_WINDOWS: Final = (1_000, 500_000)
_MOST_CASES: Final = 10_000


class SearchError(ValueError):
    """What is looked for cannot be; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; what is empty is not asked. `reviewer` is a login, `decision` an answer's value."""

    prediction_id: str = ""
    subject: str = ""
    model: str = ""
    version: str = ""
    reviewer: str = ""
    decision: str = ""
    kind: str = "prediction"
    since: datetime | None = None
    until: datetime | None = None


class Found(NamedTuple):
    """An entry that fits: what and where it is, by whom, about which case (the place of its prediction)."""

    at: datetime
    kind: str
    log_id: int
    log: str
    seq: int
    model: str | None
    version: str | None
    said: str | None
    confidence: float | None
    by: str | None
    queue: str | None
    status: str | None
    case: tuple[int, int] | None


class Page(NamedTuple):
    """What was found, the cursor for what is older, and until when it was looked if that is not all."""

    items: list[Found]
    next: Cursor | None
    looked_back_to: datetime | None


class _At(msgspec.Struct, gc=False):
    at: int


_read_at = msgspec.json.Decoder(_At).decode


def page(desk: Desk, wanted: Wanted, after: Cursor | None, limit: int) -> Page:
    """Look for entries, the newest first. Raises SearchError.

    A page costs a bounded number of entries: it may be short, or empty, and yet have a next one.
    """
    if wanted.kind not in KINDS:
        raise SearchError(f"there is no kind {wanted.kind}: take one of {', '.join(KINDS)}")
    with desk.sessions.begin() as session:
        asked = _asked(desk, session, wanted, after) | {"limit": limit + 1}
        rows, edge = _look(session, wanted, asked)
        called = _called(session, rows)
    if len(rows) > limit:
        last = rows[limit - 1]
        return Page(
            [_found(row, called) for row in rows[:limit]], Cursor(last.at, last.log_id, last.seq), None
        )
    return Page([_found(row, called) for row in rows], edge, moment(edge.at) if edge else None)


def _look(session: Session, wanted: Wanted, asked: dict[str, Any]) -> tuple[list[sa.Row[Any]], Cursor | None]:
    table = wanted.kind if KINDS[wanted.kind] else "acts"
    if wanted.prediction_id or wanted.subject:
        return _exact(session, table, asked), None
    rows: list[sa.Row[Any]] = []
    edge: Cursor | None = None
    for window in _WINDOWS:
        asked["window"] = window
        if table == "acts":
            rows, edge = searches.acts(session, asked), searches.last_act(session, asked)
        else:
            rows, edge = _windows(session, table, asked)
        if edge is None or len(rows) >= asked["limit"]:
            break
    return rows, edge


def _asked(desk: Desk, session: Session, wanted: Wanted, after: Cursor | None) -> dict[str, Any]:
    since, until = wanted.since, wanted.until
    if since and until and since >= until:
        raise SearchError("the time asked for ends before it begins")
    asked: dict[str, Any] = {
        "since": microseconds(since) if since else 0,
        "until": microseconds(until) if until else _LATEST,
        "model": wanted.model or None,
        "version": wanted.version or None,
        "decision": wanted.decision or None,
        "number": _number(wanted.decision),
        "kinds": [wanted.kind],
    }
    asked |= (after or Cursor(_LATEST, 2**31 - 1, _LATEST))._asdict()
    if wanted.reviewer:
        person = _person(desk, wanted.reviewer)
        asked |= {"reviewer": person, "actors": [f"{kind}:{person}" for kind in ("person", "token")]}
    if wanted.prediction_id:
        asked["finds"] = _finds(desk, session, wanted)
    if wanted.subject:
        try:
            asked["subject"] = subjects.key_of(session, desk.keyring, wanted.subject)
        except subjects.SubjectMissingError as error:
            raise SearchError(str(error)) from error
    return asked


def _finds(desk: Desk, session: Session, wanted: Wanted) -> list[int]:
    key = desk.keyring.hash_key(session, "prediction")
    models = [wanted.model] if wanted.model else task_lists.names(session)[1]
    hashes = [find_hash(key, model, wanted.prediction_id) for model in models]
    return [signed64(each.hex()) for each in hashes]


def _person(desk: Desk, login: str) -> UUID:
    try:
        return get_by_login(desk.sessions, login).person.person_id
    except LookupError as error:
        raise SearchError(f"nobody has the login {login}") from error


def _exact(session: Session, table: str, asked: dict[str, Any]) -> list[sa.Row[Any]]:
    if table != "prediction":
        asked["ids"] = searches.ids(session, asked, _MOST_CASES)
    return searches.exact(session, table, asked)


def _windows(
    session: Session, table: str, asked: Mapping[str, Any]
) -> tuple[list[sa.Row[Any]], Cursor | None]:
    """Look through the newest part of each log; what is older than the shortest part's edge waits."""
    parts, edges = [], []
    found = searches.logs(session, KINDS[table], asked["model"] if table == "label" else None)
    for log in found:
        behind = min(_behind(session, log, asked), _seq_at(session, log, asked["until"]))
        lowest = _seq_at(session, log, asked["since"]) if asked["since"] else 0
        first = max(lowest, behind - max(1, asked["window"] // len(found)))
        if first < behind:
            parts.append(Window(log.log_id, first, behind))
        if lowest < first < behind:
            edges.append(Cursor(_at(session, log.log_id, first), log.log_id, first))
    rows = searches.windows(session, table, parts, asked)
    edge = max(edges, default=None)
    if edge is not None:
        rows = [row for row in rows if (row.at, row.log_id, row.seq) >= edge]
    return rows, edge


def _behind(session: Session, log: sa.Row[Any], asked: Mapping[str, Any]) -> int:
    """The first seq of a log that an earlier page has shown: pages go by time, then log, then seq."""
    if log.log_id == asked["log_id"]:
        return int(asked["seq"])
    return _seq_at(session, log, asked["at"] + (log.log_id < asked["log_id"]))


def _seq_at(session: Session, log: sa.Row[Any], at_us: int) -> int:
    """The first seq of a log that is not before a moment: times never go back within a log."""
    if at_us > _LATEST - 2:
        return int(log.size)
    return bisect_left(range(log.size), at_us, key=lambda seq: _at(session, log.log_id, seq))


def _at(session: Session, log_id: int, seq: int) -> int:
    return _read_at(logs.one(session, log_id, seq)).at


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _called(session: Session, rows: Iterable[sa.Row[Any]]) -> dict[str, str]:
    return names.called(session, {row.actor for row in rows if row.actor})


def _found(row: sa.Row[Any], called: Mapping[str, str]) -> Found:
    said = (
        row.said
        if row.said is not None
        else (None if row.said_value is None else number_words(row.said_value))
    )
    return Found(
        at=moment(row.at),
        kind=row.kind,
        log_id=row.log_id,
        log=row.log,
        seq=row.seq,
        model=row.model,
        version=row.version,
        said=said,
        confidence=row.confidence,
        by=called.get(row.actor or ""),
        queue=row.queue,
        status=row.status,
        case=None if row.case_log_id is None else (row.case_log_id, row.case_seq),
    )
