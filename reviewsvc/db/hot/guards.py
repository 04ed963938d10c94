"""Says whether this database may be written to: it is the one of last time, and holds what was signed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from reviewsvc.db.hot.connection import Connected

_ADOPT = "run `reviewsvc restore adopt`; reading and `reviewsvc audit verify` go on working"


class RestoredError(RuntimeError):
    """The database is not as it was left: nobody may write before somebody has looked. The text says more."""


class UnconfirmedError(LookupError):
    """Since the database was started nobody who knows what was signed has looked at it."""


class Identity(NamedTuple):
    """Which server a database lives in, and which history of it."""

    system_id: str
    timeline: int


class Guard(NamedTuple):
    """What is known of this database: where it was and is, what was found in it, who asks to adopt it.

    `notes` are the signed checkpoints that came back from outside and show that something is lost.
    """

    recorded: Identity
    present: Identity
    signs: bool
    is_confirmed: bool
    trouble: str | None
    request: dict[str, Any] | None
    notes: list[str]


# While a standby follows, only its last checkpoint tells the timeline; a server that takes writes knows it.
PRESENT = (
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
    "CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint()) "
    "ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END"
)
_GUARD = (
    f"SELECT i.system_id, i.timeline, p.*, EXISTS (SELECT FROM signing_key), "
    "g.server_start IS NOT DISTINCT FROM pg_postmaster_start_time(), g.trouble, g.request, "
    "coalesce(g.notes, '{}') "
    f"FROM installation i CROSS JOIN ({PRESENT}) AS p LEFT JOIN restore_guard g ON true"
)
_NOTE = (
    "INSERT INTO restore_guard AS g (server_start, checked_at, trouble, notes) "
    "VALUES (pg_postmaster_start_time(), %(at)s, %(trouble)s, %(notes)s) ON CONFLICT (one) DO UPDATE "
    "SET server_start = EXCLUDED.server_start, checked_at = EXCLUDED.checked_at, trouble = EXCLUDED.trouble, "
    "request = CASE WHEN EXCLUDED.trouble IS NULL THEN NULL ELSE g.request END, "
    "notes = CASE WHEN EXCLUDED.trouble IS NULL THEN '{}' ELSE "
    "ARRAY(SELECT unnest(g.notes) UNION SELECT unnest(EXCLUDED.notes)) END"
)
_FREEZE = "UPDATE head SET frozen = true, epoch = epoch + 1 WHERE NOT frozen"


def look(conn: Connected) -> Guard | None:
    """Read the guard; None before the installation's first start."""
    row = conn.execute(_GUARD).fetchone()
    if row is None:
        return None
    return Guard(Identity(row[0], row[1]), Identity(row[2], row[3]), *row[4:])


def check(conn: Connected) -> None:
    """Let a writer start, or raise RestoredError or UnconfirmedError, whose text says what to do."""
    guard = look(conn)
    if guard is None:
        return
    check_identity(guard)
    if guard.trouble is not None:
        raise RestoredError(f"{guard.trouble}. Nothing is written: {_ADOPT}")
    if guard.signs and not guard.is_confirmed:
        raise UnconfirmedError(
            "since this database was started nobody has held it against what was signed: start the worker "
            "that seals, it does"
        )


def check_identity(guard: Guard) -> None:
    """Raise RestoredError if the database lives in another server, or another history of it."""
    if guard.present == guard.recorded:
        return
    raise RestoredError(
        f"this database lived in the system {guard.recorded.system_id} on timeline "
        f"{guard.recorded.timeline} and now is in {guard.present.system_id} on {guard.present.timeline}: it "
        f"was restored, moved, or a standby took over. Nothing is written: {_ADOPT}"
    )


def confirm(conn: Connected, at: datetime, trouble: str | None = None, notes: Sequence[str] = ()) -> None:
    """Note that the database was held against what was signed, and what was found, if anything.

    `notes` are kept beside those that were found before, until nothing is wrong any more.
    """
    conn.execute(_NOTE, {"at": at, "trouble": trouble, "notes": list(notes)})


def freeze(conn: Connected) -> None:
    """Let nobody append to any log any more, whoever has begun to."""
    conn.execute(_FREEZE)
