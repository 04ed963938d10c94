"""Compares what the tables hold with what the entries say, chunk by chunk."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any
from uuid import UUID

from msgspec import ValidationError
from msgspec.json import decode

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain import projections as p
from reviewsvc.domain.entries import Entry, EntryError, parse
from reviewsvc.domain.verdict import Finding, LogReport

Chunk = list[tuple[int, bytes]]
Rows = dict[int, tuple[Any, ...]]

_TABLES: dict[str, tuple[str, ...]] = {
    "prediction": tuple(name for name in p.PredictionRow._fields if name != "segment"),
    "quarantine": p.QuarantineRow._fields,
    "decision": p.DecisionRow._fields,
    "label": p.LabelRow._fields,
    "activity": p.ActivityRow._fields,
    "document": ("log_id", "seq", "kind", "name", "version", "sha256"),
}
_BY_KIND = {
    "predictions": ("prediction", "quarantine"),
    "ingest": ("prediction", "quarantine"),
    "activity": ("activity", "decision", "document"),
    "labels": ("label",),
}
_TASK_COLUMNS = p.TaskRow._fields[:-2]
_MOST_FINDINGS = 100


class ProjectionCheck:
    """Holds what the entries of one log ask for and what the tables have."""

    def __init__(self, conn: Connected) -> None:
        self._conn = conn
        self._models = {row[0]: p.ModelIds(row[1], row[2]) for row in conn.execute(_MODELS)}
        self._queues = scan.numbers(conn, "queue", "queue_id")
        self._activity = [log.log_id for log in scan.logs(conn) if log.kind == "activity"]
        self._tasks = 0
        self._sizes: dict[int, int] = {}
        self._seen: dict[str, int] = {}

    def begin(self, head: scan.LogHead) -> None:
        """Start with a log."""
        self._head = head
        self._sizes[head.log_id] = head.size
        self._findings: list[Finding] = []
        self.unknown_kinds: list[str] = []

    def end(self) -> list[Finding]:
        """What did not agree in this log."""
        return self._findings

    def chunk(self, chunk: Chunk) -> None:
        """Compare the rows of the entries in a chunk, every column, and the ciphertexts with their hashes."""
        read = [(seq, body, entry) for seq, body in chunk if (entry := self._parsed(seq, body))]
        said = {seq: facts for seq, _, entry in read if (facts := self._facts(seq, entry))}
        entries = {seq: entry for seq, _, entry in read}
        first, behind = chunk[0][0], chunk[-1][0] + 1
        keys = self._keys(entries.values())
        wanted = self._wanted(entries, said, keys)
        for table in _BY_KIND.get(self._head.kind, ()):
            stored = self._stored(table, first, behind)
            self._compare(table, wanted.get(table, {}), stored)
        self._check_payloads(entries, first, behind, keys)
        self._check_tasks(entries, said)

    def _note(self, seq: int, what: str) -> None:
        if len(self._findings) < _MOST_FINDINGS:
            self._findings.append(Finding(self._head.name, seq, what))

    def _parsed(self, seq: int, body: bytes) -> Entry | None:
        try:
            return parse(body)
        except EntryError as fault:
            self._note(seq, f"its bytes are {fault}")
            return None

    def _facts(self, seq: int, entry: Entry) -> f.Facts | None:
        kind = f.KINDS.get(entry.kind)
        if kind is None:
            if entry.kind not in self.unknown_kinds:
                self.unknown_kinds.append(entry.kind)
            return None
        try:
            return decode(entry.facts, type=kind)
        except ValidationError as fault:
            self._note(seq, f"its facts do not fit its kind {entry.kind}: {fault}")
            return None

    def _keys(self, entries: Iterable[Entry]) -> dict[bytes, bool]:
        ids = {bytes.fromhex(entry.payload.key) for entry in entries if entry.payload}
        return scan.keys_kept(self._conn, list(ids)) if ids else {}

    def _wanted(
        self, entries: dict[int, Entry], said: dict[int, f.Facts], keys: dict[bytes, bool]
    ) -> dict[str, Rows]:
        wanted: dict[str, Rows] = {}
        for seq, facts in said.items():
            entry = entries[seq]
            place = p.Place(self._head.log_id, seq, entry.at)
            for table, row in self._rows(place, entry, facts, keys):
                wanted.setdefault(table, {})[seq] = row
        return wanted

    def _rows(
        self, place: p.Place, entry: Entry, facts: f.Facts, keys: dict[bytes, bool]
    ) -> Iterable[tuple[str, tuple[Any, ...]]]:
        if self._head.kind == "activity":
            yield "activity", p.activity_row(place, entry, facts)
        match facts:
            case f.Prediction():
                yield "prediction", self._prediction(place, entry, facts, keys)
            case f.Quarantine():
                yield "quarantine", p.quarantine_row(place, facts)
            case f.Decision():
                yield "decision", p.decision_row(place, facts)
            case f.Label():
                yield "label", p.label_row(place, facts, self._model(facts.model).model_id)
            case f.Document():
                body = (facts.document, facts.name, facts.version, bytes.fromhex(facts.sha256))
                yield "document", (place.log_id, place.seq, *body)

    def _model(self, name: str) -> p.ModelIds:
        return self._models.get(name, p.ModelIds(-1, -1))

    def _prediction(
        self, place: p.Place, entry: Entry, facts: f.Prediction, keys: dict[bytes, bool]
    ) -> tuple[Any, ...]:
        key = bytes.fromhex(entry.payload.key) if entry.payload else b""
        queue = facts.route.queue if facts.route else None
        queue_id = None if queue is None else self._queues.get(queue, -1)
        subject = key if keys.get(key) else None
        return p.prediction_row(place, facts, self._model(facts.model), queue_id, subject=subject)[:-1]

    def _stored(self, table: str, first: int, behind: int) -> Rows:
        columns = _TABLES[table]
        place = columns.index("seq")
        rows = scan.rows(self._conn, table, columns, log_id=self._head.log_id, seqs=range(first, behind))
        self._seen[table] = self._seen.get(table, 0) + len(rows)
        found: Rows = {}
        for row in rows:
            if row[place] in found:
                self._note(row[place], f"{table} holds two rows for it")
            found[row[place]] = row
        return found

    def _compare(self, table: str, wanted: Rows, stored: Rows) -> None:
        if wanted == stored:
            return
        for seq in sorted(wanted.keys() | stored.keys()):
            want, have = wanted.get(seq), stored.get(seq)
            if want is None:
                self._note(seq, f"{table} holds a row that its entry does not ask for")
            elif have is None:
                self._note(seq, f"its row in {table} is missing")
            elif tuple(want) != have:
                columns = _TABLES[table]
                wrong = [c for c, a, b in zip(columns, want, have, strict=True) if a != b]
                self._note(seq, f"its row in {table} differs in {', '.join(wrong)}")

    def _check_payloads(
        self, entries: dict[int, Entry], first: int, behind: int, keys: dict[bytes, bool]
    ) -> None:
        found = set()
        for seq, ciphertext, at in self._payload_rows(first, behind):
            entry = entries.get(seq)
            found.add(seq)
            if entry is None or entry.payload is None:
                self._note(seq, "payload holds a row that its entry does not ask for")
            elif sha256(ciphertext).hexdigest() != entry.payload.sha256 or at != entry.at:
                self._note(seq, "its stored payload is not the one whose hash it carries")
        for seq, entry in entries.items():
            if entry.payload and seq not in found and bytes.fromhex(entry.payload.key) in keys:
                self._note(seq, "its payload is missing although its key still exists")

    def _payload_rows(self, first: int, behind: int) -> list[tuple[Any, ...]]:
        columns = ("seq", "ciphertext", "at")
        seqs = range(first, behind)
        return scan.rows(self._conn, "payload", columns, log_id=self._head.log_id, seqs=seqs)

    def _check_tasks(self, entries: dict[int, Entry], said: dict[int, f.Facts]) -> None:
        asked = {
            UUID(facts.route.task): (seq, facts)
            for seq, facts in said.items()
            if isinstance(facts, f.Prediction) and facts.route and facts.route.task
        }
        if not asked:
            return
        stored = self._conn.execute(_TASKS, (list(asked),)).fetchall()
        self._tasks += len(stored)
        found = set()
        for task_id, escalated, *have in stored:
            seq, facts = asked[task_id]
            found.add(task_id)
            self._compare_task(seq, p.Place(self._head.log_id, seq, entries[seq].at), facts, have, escalated)
        self._check_absent({task: asked[task] for task in asked.keys() - found})

    def _compare_task(
        self,
        seq: int,
        place: p.Place,
        facts: f.Prediction,
        have: list[Any],
        escalated: bool,  # noqa: FBT001 - a column
    ) -> None:
        queue_id = self._queues.get(facts.route.queue or "", -1) if facts.route else -1
        want = p.task_row(place, facts, self._model(facts.model), queue_id, have[8])
        if want is None or have[8] not in self._activity:
            self._note(seq, "its task belongs to no activity log")
            return
        wrong = [c for c, a, b in zip(_TASK_COLUMNS, want[:-2], have, strict=True) if a != b]
        wrong = [c for c in wrong if not (escalated and c in ("queue_id", "priority", "reviewers"))]
        if wrong:
            self._note(seq, f"its task differs in {', '.join(wrong)}")

    def _check_absent(self, absent: dict[UUID, tuple[int, f.Prediction]]) -> None:
        """A prediction sent twice makes no second task: one for its identity must exist."""
        if not absent:
            return
        hashes = [bytes.fromhex(facts.id) for _, facts in absent.values()]
        kept = {
            row[0]
            for row in self._conn.execute("SELECT id_hash FROM task WHERE id_hash = ANY(%s)", (hashes,))
        }
        for seq, facts in absent.values():
            if bytes.fromhex(facts.id) not in kept:
                self._note(seq, "the task that it asks for is missing")

    def strays(self) -> list[LogReport]:
        """Rows that belong to no entry that was read: counted against what each table holds of these logs."""
        findings = []
        for table in sorted({*_TABLES, "task"}):
            prefix = "t.prediction_" if table == "task" else "t."
            query = _COUNT.format(table=table, log_id=f"{prefix}log_id", seq=f"{prefix}seq")
            row = self._conn.execute(query, (list(self._sizes), list(self._sizes.values()))).fetchone()
            more = (row[0] if row else 0) - (self._tasks if table == "task" else self._seen.get(table, 0))
            if more > 0:
                findings.append(Finding(table, 0, f"{more} rows of {table} belong to no entry"))
        return [LogReport("(tables)", 0, "", findings)] if findings else []


# Logs and entries that are newer than the run are left out, so that a busy service raises no alarm.
_COUNT = (
    "SELECT count(*) FROM {table} t LEFT JOIN log l ON l.log_id = {log_id} "
    "LEFT JOIN unnest(%s::int[], %s::bigint[]) AS s (log_id, size) ON s.log_id = {log_id} "
    "WHERE l.log_id IS NULL OR {seq} < s.size"
)
_MODELS = "SELECT name, model_id, retention_class FROM model"
_TASKS = f"SELECT task_id, escalated, {', '.join(_TASK_COLUMNS)} FROM task WHERE task_id = ANY(%s)"
