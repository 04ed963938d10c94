"""Payloads that were opened, and what left the house, the newest first."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.activities import Cursor
from reviewsvc.db.direct import run

_LEFT: Final = (
    "FROM activity a WHERE a.kind IN ('access', 'export', 'subject_export', 'erasure') "
    "AND a.kind <> 'erasure' "
    "AND a.at >= %(since)s AND a.at < %(until)s AND a.at <= %(at)s "
    "AND (a.at, a.log_id, a.seq) < (%(at)s, %(log_id)s, %(seq)s) "
    "AND (%(actors)s::text[] IS NULL OR a.actor = ANY(%(actors)s))"
)
_PAGE: Final = (
    "SELECT a.log_id, l.name AS log, a.seq, a.at, a.kind, a.actor, e.body, t.prediction_log_id, "
    "t.prediction_seq "
    f"FROM (SELECT a.* {_LEFT} ORDER BY a.at DESC, a.log_id DESC, a.seq DESC LIMIT %(limit)s) a "
    "JOIN entry e USING (log_id, seq) JOIN log l USING (log_id) LEFT JOIN task t USING (task_id) "
    "ORDER BY a.at DESC, a.log_id DESC, a.seq DESC"
)
_CASES: Final = (
    "SELECT p.log_id, p.seq, m.name AS model, p.subject FROM unnest(%(logs)s::int[], %(seqs)s::bigint[]) "
    "AS r(log_id, seq) JOIN prediction p USING (log_id, seq) JOIN model m USING (model_id)"
)
_IDS: Final = "SELECT name, log_id FROM log WHERE name = ANY(%(names)s)"


class Span(NamedTuple):
    """Which are asked for: from and before a moment in microseconds, by these actors; None is anybody."""

    since: int
    until: int
    actors: Collection[str] | None = None


def page(session: Session, span: Span, before: Cursor, limit: int) -> list[sa.Row[Any]]:
    """Return entries of a span by which payloads were opened or left, before the last of an earlier page."""
    asked = {**span._asdict(), **before._asdict(), "limit": limit}
    asked["actors"] = None if span.actors is None else list(span.actors)
    return list(run(session, _PAGE, asked))


def count(session: Session, span: Span, before: Cursor) -> int:
    """Count them."""
    asked = {**span._asdict(), **before._asdict()}
    asked["actors"] = None if span.actors is None else list(span.actors)
    return int(run(session, f"SELECT count(*) {_LEFT}", asked).scalar() or 0)


def cases(session: Session, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], sa.Row[Any]]:
    """Return model and subject of predictions by their places (log_id, seq); what is not kept is absent."""
    columns = list(zip(*places, strict=True)) or [(), ()]
    found = run(session, _CASES, {"logs": list(columns[0]), "seqs": list(columns[1])})
    return {(row.log_id, row.seq): row for row in found}


def log_ids(session: Session, names: Collection[str]) -> dict[str, int]:
    """Return the ids of logs by their names."""
    return {row.name: row.log_id for row in run(session, _IDS, {"names": list(names)})}
