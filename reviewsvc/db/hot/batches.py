"""Writes a batch of one or more logs in one transaction, if every head is still as the batch was built on."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.heads import Head, locked
from reviewsvc.domain.projections import PredictionRow, QuarantineRow, TaskRow


class FencedError(RuntimeError):
    """Another writer holds some of the batch's logs now; nothing of the batch was written."""

    def __init__(self, log_ids: Iterable[int]) -> None:
        self.log_ids = frozenset(log_ids)
        super().__init__(f"another writer holds the logs {sorted(self.log_ids)}")


class StaleRulesError(RuntimeError):
    """Policies, contracts or keys changed since the batch was built; nothing of it was written."""


@dataclass(slots=True)
class LogRows:
    """What a batch adds to one log: the head that it was built on, the head after it, and the rows."""

    before: Head
    after: Head
    entries: list[tuple[int, int, bytes]] = field(default_factory=list)
    payloads: list[tuple[int, int, int, int, bytes]] = field(default_factory=list)
    predictions: list[PredictionRow] = field(default_factory=list)
    quarantined: list[QuarantineRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)


_COPIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "predictions",
        f"prediction ({', '.join(PredictionRow._fields)})",
        (
            *("int2", "int8", "int4", "int8", "bytea", "int8", "int4", "int4", "int4", "int4", "int8"),
            *("text", "float8", "float8", "bool", "int2", "int4", "text", "float8", "bytea", "int2"),
        ),
    ),
    ("quarantined", "quarantine (log_id, seq, at, reason, size)", ("int4", "int8", "int8", "text", "int4")),
)


def write(conn: Connected, generation: int, parts: Sequence[LogRows]) -> None:
    """Commit the batch, whole or not at all.

    On return it is durable. Raises FencedError or StaleRulesError with nothing written. If the connection
    breaks during the commit, whoever calls must read the heads again to learn what became of it.
    """
    with conn.transaction():
        _share_generation(conn, generation)
        _swap_heads(conn, parts)
        _copy_bytes(conn, "entry (log_id, seq, body)", _entries(parts))
        _copy_bytes(conn, "payload (retention_class, at, log_id, seq, ciphertext)", _payloads(parts))
        for name, target, types in _COPIES:
            _copy(conn, target, types, [row for part in parts for row in getattr(part, name)])
        _insert_tasks(conn, [task for part in parts for task in part.tasks])


def _share_generation(conn: Connected, generation: int) -> None:
    conn.execute("SELECT pg_advisory_xact_lock_shared(7203, 1)")
    row = conn.execute("SELECT value FROM generation").fetchone()
    if row is None or row[0] != generation:
        raise StaleRulesError(f"built under generation {generation}, now {row and row[0]}")


def _swap_heads(conn: Connected, parts: Sequence[LogRows]) -> None:
    held = locked(conn, [part.before.log_id for part in parts])
    fenced = [part.before.log_id for part in parts if held.get(part.before.log_id) != part.before]
    if fenced:
        raise FencedError(fenced)
    conn.cursor().executemany(
        "UPDATE head SET size = %s, last_hash = %s, last_at = %s, next_offset = %s, topic_id = %s "
        "WHERE log_id = %s",
        [
            (h.size, h.last_hash, h.last_at, h.next_offset, h.topic_id, h.log_id)
            for h in (part.after for part in parts)
        ],
    )


def _copy(conn: Connected, target: str, types: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    with conn.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        write_row = copy.write_row
        for row in rows:
            write_row(row)


# PostgreSQL's COPY in binary form: a header, then for each row the number of its columns, and for each column
# its length before it; minus one instead of a number of columns ends it.
_BEGIN, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_ENTRY = struct.Struct(">hiiiqi").pack
_PAYLOAD = struct.Struct(">hihiqiiiqi").pack
_ROWS_AT_ONCE = 64


def _entries(parts: Sequence[LogRows]) -> Iterator[bytes]:
    for part in parts:
        for log_id, seq, body in part.entries:
            yield _ENTRY(3, 4, log_id, 8, seq, len(body))
            yield body


def _payloads(parts: Sequence[LogRows]) -> Iterator[bytes]:
    for part in parts:
        for kept, at, log_id, seq, ciphertext in part.payloads:
            yield _PAYLOAD(5, 2, kept, 8, at, 4, log_id, 8, seq, len(ciphertext))
            yield ciphertext


def _copy_bytes(conn: Connected, target: str, pieces: Iterator[bytes]) -> None:
    """Copy rows that are mostly one long value: packed here, which costs a third of `write_row`."""
    with conn.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_BEGIN)
        while some := b"".join(islice(pieces, 2 * _ROWS_AT_ONCE)):
            copy.write(some)
        copy.write(_END)


_TASK = (
    "INSERT INTO task (task_id, id_hash, model_id, queue_id, retention_class, prediction_at, "
    "prediction_log_id, prediction_seq, activity_log_id, contract_version, policy_version, rule, reasons, "
    "selection_probability, "
    "model_label, model_value, priority, reviewers, blind, created_at, due_at) "
    f"VALUES ({', '.join(['%s'] * 19)}, to_timestamp(%s / 1e6), to_timestamp(%s / 1e6)) "
    "ON CONFLICT (id_hash) DO NOTHING"
)
# Only a task that this batch made has this batch's task id: a duplicate's proposal was dropped.
_SLOTS = (
    "INSERT INTO slot (task_id, lane_id, priority, due_at) "
    "SELECT t.task_id, l.lane_id, t.priority, t.due_at FROM task t "
    "JOIN lane l ON l.queue_id = t.queue_id AND l.skills = '{}', generate_series(1, t.reviewers) "
    "WHERE t.task_id = ANY(%s) ORDER BY t.created_at, t.prediction_seq"
)


def _insert_tasks(conn: Connected, tasks: list[TaskRow]) -> None:
    if not tasks:
        return
    tasks.sort(key=lambda task: task.id_hash)
    conn.cursor().executemany(_TASK, tasks)
    conn.execute(_SLOTS, ([task.task_id for task in tasks],))
