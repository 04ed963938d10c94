"""What the relay reads and notes: which logs leave, how far they reach, and the floor under its place."""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

_LOCK: Final = 7205
_LOGS: Final = (
    "SELECT l.log_id, l.name, l.kind, leaving_size(l.log_id), CASE WHEN NOT EXISTS (SELECT FROM log later "
    "WHERE later.series = l.series AND later.incarnation > l.incarnation) THEN h.size END "
    "FROM log l JOIN head h USING (log_id) "
    "WHERE (l.kind IN ('labels', 'activity') OR l.kind = 'root' AND EXISTS (SELECT FROM signing_key)) "
    # One that goes on after a restore says so first: its first entry must be signed before it is begun.
    "AND (l.incarnation = 0 OR leaving_size(l.log_id) > 0) ORDER BY l.log_id"
)
_CHECKPOINTS: Final = (
    "SELECT size, note FROM checkpoint WHERE log_id = %s AND size > %s AND size <= %s ORDER BY size LIMIT %s"
)
_CONTINUATION: Final = (
    "SELECT e.body FROM entry e JOIN log l USING (log_id) "
    "WHERE e.log_id = %s AND e.seq = 0 AND l.incarnation > 0"
)
_FLOOR: Final = "SELECT seq, topic_id, end_offsets FROM relay_place WHERE log_id = %s AND topic = %s"
_NOTE: Final = (
    "INSERT INTO relay_place (log_id, topic, seq, topic_id, end_offsets, noted_at) "
    "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (log_id, topic) DO UPDATE SET seq = EXCLUDED.seq, "
    "topic_id = EXCLUDED.topic_id, end_offsets = EXCLUDED.end_offsets, noted_at = EXCLUDED.noted_at"
)

_SENT_TO: Final = (
    "SELECT l.name, p.topic_id FROM relay_place p JOIN log l USING (log_id) "
    "WHERE p.topic = %s ORDER BY l.name"
)
_ACCEPTED: Final = (
    "SELECT e.body FROM activity a JOIN entry e USING (log_id, seq) "
    "WHERE a.kind = 'topic_accepted' AND a.object = %s ORDER BY a.at DESC LIMIT 1"
)

Connection = psycopg.Connection[Any]


class RelayedLog(NamedTuple):
    """A log that leaves: its id, name and kind, and the seq, left out, up to which its entries may leave.

    `held` is how many entries are here at all; None once it has gone on as another log, after a restore.
    """

    log_id: int
    name: str
    kind: str
    size: int
    held: int | None = None


class Floor(NamedTuple):
    """What had certainly been sent: up to which seq, to which topic, and where its partitions ended then."""

    seq: int
    topic_id: str
    end_offsets: dict[int, int]


def logs(connection: Connection) -> list[RelayedLog]:
    """Return the logs that leave, by id."""
    return [RelayedLog(*row) for row in connection.execute(_LOGS)]


def checkpoints(connection: Connection, log: RelayedLog, after: int, limit: int) -> list[tuple[int, str]]:
    """Return (last seq, note) of a log's checkpoints that cover more than a seq, the smallest first."""
    rows = connection.execute(_CHECKPOINTS, (log.log_id, after + 1, log.size, limit))
    return [(size - 1, note) for size, note in rows]


def continuation(connection: Connection, log_id: int) -> bytes | None:
    """Return the first entry of a log that goes on after a restore; None of any other log."""
    row = connection.execute(_CONTINUATION, (log_id,)).fetchone()
    return None if row is None else bytes(row[0])


def try_lock(connection: Connection, log_id: int) -> bool:
    """Become the one who relays a log, for as long as the connection lives; False if somebody else is."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, log_id)).fetchone()
    return bool(row and row[0])


def unlock(connection: Connection, log_id: int) -> None:
    """Let somebody else relay a log."""
    connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCK, log_id))


def floor(connection: Connection, log_id: int, topic: str) -> Floor | None:
    """Return the floor under the place in Kafka; None if nothing was ever noted."""
    row = connection.execute(_FLOOR, (log_id, topic)).fetchone()
    if row is None:
        return None
    offsets = row[2] if isinstance(row[2], dict) else json.loads(row[2])
    return Floor(row[0], row[1], {int(partition): offset for partition, offset in offsets.items()})


def sent_to(connection: Connection, topic: str) -> list[tuple[str, str]]:
    """Return the logs of which something was sent to a topic, each with the id that the topic had."""
    return [(row[0], row[1]) for row in connection.execute(_SENT_TO, (topic,))]


def accepted(connection: Connection, topic: str) -> bytes | None:
    """Return the last entry by which an operator accepted a topic that was made again; None without one."""
    row = connection.execute(_ACCEPTED, (f"topic:{topic}",)).fetchone()
    return None if row is None else bytes(row[0])


def note(connection: Connection, log_id: int, topic: str, floor: Floor, at: datetime) -> None:
    """Raise the floor."""
    offsets = Jsonb({str(partition): offset for partition, offset in floor.end_offsets.items()})
    connection.execute(_NOTE, (log_id, topic, floor.seq, floor.topic_id, offsets, at))
