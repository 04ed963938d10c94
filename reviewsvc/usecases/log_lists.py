"""Health of all logs: how long, how far sealed, anchored and verified, and how each has grown."""

from collections import defaultdict
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from reviewsvc.db import installations, troubles
from reviewsvc.db import log_health as rows
from reviewsvc.db.sessions import Session
from reviewsvc.db.troubles import Trouble
from reviewsvc.domain.facts import VERIFICATIONS, Verification
from reviewsvc.domain.moments import moment, moment_of
from reviewsvc.usecases import anchors
from reviewsvc.usecases.activity import chosen_shard
from reviewsvc.usecases.anchors import Anchored
from reviewsvc.usecases.desk import Desk

# So many points make the picture of a log's growth.
_POINTS: Final = 24
# What is new is verified each minute, everything each night: two days of both.
_LOOKED_THROUGH: Final = 3_000


class Growth(NamedTuple):
    """How a log has grown: (moment, entries), the oldest first; since when half of it has come."""

    points: tuple[tuple[datetime, int], ...]
    half_since: datetime


class LogState(NamedTuple):
    """One log; what is None has not happened yet."""

    log_id: int
    name: str
    kind: str
    is_frozen: bool
    size: int
    last_at: datetime | None
    sealed: int | None
    sealed_at: datetime | None
    anchored: int | None
    growth: Growth | None
    unsealed_since: datetime | None


class Verified(NamedTuple):
    """How a verification by the worker ended: of what (`all` or `new`), and where the first finding is."""

    what: str
    at: datetime
    verdict: str
    entries: int
    findings: int
    log: str | None
    seq: int | None


class Logs(NamedTuple):
    """All logs, the root first, how many entries they have together, how far they are anchored and verified.

    `verified` has the last verification of each sort, those of everything first; `troubles` the steps of the
    worker that fail.
    """

    logs: list[LogState]
    entries: int
    unsealed: int
    anchored: Anchored
    verified: list[Verified]
    troubles: list[Trouble]


class _At(msgspec.Struct, gc=False):
    at: int


class _Verification(msgspec.Struct, gc=False):
    at: int
    facts: Verification


_read_verification = msgspec.json.Decoder(_Verification).decode
_read_at = msgspec.json.Decoder(_At).decode


def states(desk: Desk) -> Logs:
    """Return the state of every log."""
    with desk.sessions.begin() as session:
        anchored = anchors.overview(session)
        anchored_root = max((each.size for each in anchored.anchors), default=0)
        found = rows.logs(session, anchored_root)
        growths = _growths(session, found)
        verified, failing = _verified(session), troubles.troubles(session)
        waiting = _waiting(session, found)
    logs = [_state(row, growths.get(row.log_id), anchored_root, waiting.get(row.log_id)) for row in found]
    unsealed = sum(log.size - (log.sealed or 0) for log in logs)
    return Logs(logs, sum(log.size for log in logs), unsealed, anchored, verified, failing)


def names(desk: Desk) -> list[str]:
    """Return the names of all logs."""
    with desk.sessions.begin() as session:
        return [row.name for row in rows.logs(session, 0)]


def _verified(session: Session) -> list[Verified]:
    shards = installations.newest_logs(session, "activity")
    last: dict[str, Verified] = {}
    for body in rows.verifications(session, chosen_shard(shards, VERIFICATIONS), _LOOKED_THROUGH):
        entry = _read_verification(body)
        said = entry.facts
        told = (said.verdict, said.entries, said.findings, said.log, said.seq)
        last.setdefault(said.what, Verified(said.what, moment(entry.at), *told))
    return [last[what] for what in sorted(last)]


def _growths(session: Session, logs: list[sa.Row[Any]]) -> dict[int, Growth]:
    places = [(log.log_id, seq) for log in logs for seq in _sample(log.size)]
    found: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for row in rows.bodies(session, places):
        found[row.log_id].append((moment(_read_at(bytes(row.body)).at), row.seq + 1))
    return {
        log_id: Growth(tuple(points), next(at for at, size in points if size * 2 >= points[-1][1]))
        for log_id, points in found.items()
    }


def _waiting(session: Session, logs: list[sa.Row[Any]]) -> dict[int, datetime]:
    """When the first entry was written that waits to be sealed, by log; a frozen log is sealed no more."""
    behind = [log for log in logs if log.size > (log.sealed or 0) and not log.frozen]
    found = rows.bodies(session, [(log.log_id, log.sealed or 0) for log in behind])
    return {row.log_id: moment(_read_at(bytes(row.body)).at) for row in found}


def _sample(size: int) -> list[int]:
    """Seqs in equal steps, the first and the last among them."""
    steps = min(size, _POINTS)
    return sorted({place * (size - 1) // max(1, steps - 1) for place in range(steps)})


def _state(
    row: sa.Row[Any], growth: Growth | None, anchored_root: int, unsealed_since: datetime | None
) -> LogState:
    return LogState(
        log_id=row.log_id,
        name=row.name,
        kind=row.kind,
        is_frozen=row.frozen,
        size=row.size,
        last_at=moment(row.last_at) if row.last_at else None,
        sealed=row.sealed,
        sealed_at=moment_of(row.sealed_at),
        anchored=row.anchored if anchored_root else None,
        growth=growth,
        unsealed_since=unsealed_since,
    )
