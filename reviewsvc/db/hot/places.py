"""Where captured partitions stand: alarms and consents, the record stored last, the months of payloads."""

import datetime as dt
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from reviewsvc.db.hot.connection import Connected


class Stored(NamedTuple):
    """An entry with its payload; `ciphertext` and `wrapped` are None once erased."""

    body: bytes
    ciphertext: bytes | None
    wrapped: bytes | None


class Alarm(NamedTuple):
    """Why a partition stopped, and what an operator consented to, if anybody did."""

    reason: str
    detail: dict[str, Any]
    consent: dict[str, Any] | None


def raise_alarm(conn: Connected, log_id: int, reason: str, detail: dict[str, Any]) -> None:
    """Note why a partition stopped; an alarm that says the same already keeps its time and its consent."""
    conn.execute(
        "INSERT INTO capture_alarm AS a (log_id, reason, detail, since) VALUES (%s, %s, %s, now()) "
        "ON CONFLICT (log_id) DO UPDATE SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, "
        "since = EXCLUDED.since, consent = NULL "
        "WHERE (a.reason, a.detail) IS DISTINCT FROM (EXCLUDED.reason, EXCLUDED.detail)",
        (log_id, reason, Jsonb(detail)),
    )


def alarm(conn: Connected, log_id: int) -> Alarm | None:
    """The alarm of a log, if one stands."""
    row = conn.execute(
        "SELECT reason, detail, consent FROM capture_alarm WHERE log_id = %s", (log_id,)
    ).fetchone()
    return Alarm(*row) if row else None


def refuse_consent(conn: Connected, log_id: int, why: str) -> None:
    """Note why a consent was not followed, beside it; another takes its place."""
    conn.execute(
        "UPDATE capture_alarm SET consent = consent || jsonb_build_object('refused', %s::text) "
        "WHERE log_id = %s",
        (why, log_id),
    )


def end_alarm(conn: Connected, log_id: int) -> None:
    """Take an alarm back, since what it said holds no more."""
    conn.execute("DELETE FROM capture_alarm WHERE log_id = %s", (log_id,))


_LAST = (
    "SELECT e.body, p.ciphertext, k.wrapped FROM entry e "
    "LEFT JOIN payload p ON p.log_id = e.log_id AND p.seq = e.seq "
    "LEFT JOIN keys.data_key k ON k.key_id = "
    "decode(substring(convert_from(e.body, 'UTF8') FROM '\"key\":\"([0-9a-f]{32})\"}}$'), 'hex') "
    "WHERE e.log_id = %s AND e.seq = %s"
)


def stored_last(conn: Connected, log_id: int, size: int) -> Stored:
    """The last of a log's `size` entries, with what is needed to open it."""
    row = conn.execute(_LAST, (log_id, size - 1)).fetchone()
    if row is None:
        raise LookupError(f"log {log_id} has no entry {size - 1}: run `reviewsvc audit verify`")
    return Stored(*row)


def ensure_months(conn: Connected, today: dt.date) -> None:
    """Have the payload and prediction partitions of this month and the next, for every retention class."""
    coming = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    for month in (today, coming):
        conn.execute("SELECT ensure_partitions(retention_class, %s) FROM retention_class", (month,))
