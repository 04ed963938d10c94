"""The rows that an entry asks for, in the columns in which the verifier reads them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec.json import decode

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain import projections as p
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain import subject_rows as sr
from reviewsvc.domain.entries import Entry

Row = tuple[Any, ...]

KEY_ID_BYTES: Final = 16
TASK_COLUMNS: Final = (*p.TaskRow._fields[:-2], "created_at", "due_at")
_TIME: Final = "(extract(epoch FROM {0}) * 1000000)::bigint AS {0}"
TASK_EXPRESSIONS: Final = (*TASK_COLUMNS[:-2], _TIME.format("created_at"), _TIME.format("due_at"))
# `segment` cannot be compared without the key; that it is empty once the key is gone is checked apart.
TABLES: Final[dict[str, tuple[str, ...]]] = {
    "prediction": p.PredictionRow._fields[:-1],
    "quarantine": p.QuarantineRow._fields,
    "decision": p.DecisionRow._fields,
    "label": (*p.LabelRow._fields, "decision_log_id", "decision_seq"),
    "activity": p.ActivityRow._fields,
    "document": (
        *("log_id", "seq", "kind", "name", "version", "sha256"),
        "body",
        _TIME.format("applied_at"),
    ),
    "signing_key": p.SigningKeyRow._fields,
    "anchor": p.AnchorRow._fields,
    "cosignature": p.CosignatureRow._fields,
    "erased_key": sr.ErasedKeyRow._fields,
    "hold": sr.HoldRow._fields,
    "hold_released": sr.HoldReleasedRow._fields,
    "dropped": sr.DroppedRow._fields,
}
BY_KIND: Final = {
    "predictions": ("prediction", "quarantine"),
    "ingest": ("prediction", "quarantine"),
    "activity": (
        *("activity", "decision", "document", "signing_key", "anchor", "cosignature"),
        *("erased_key", "hold", "hold_released", "dropped"),
    ),
    "labels": ("label",),
}


class Names(NamedTuple):
    """What entries call by name, in numbers; a model's retention class is that of its contract's version."""

    models: Mapping[str, int]
    retention: Mapping[tuple[str, int], int]
    queues: Mapping[str, int]
    logs: Mapping[str, int]
    classes: Mapping[str, int]

    def model(self, name: str, contract: int) -> p.ModelIds:
        """A model's numbers under a version of its contract."""
        return p.ModelIds(self.models[name], self.retention[name, contract])

    def classes_of(self, facts: f.Facts | None) -> set[int]:
        """The retention classes that the payload of these facts may be in."""
        if isinstance(facts, f.Quarantine):
            return {0, *(number for name, number in self.classes.items() if name == "quarantine")}
        if not isinstance(facts, f.Prediction | f.Decision | f.Retraction | f.TaskMoved | f.Label):
            return {0}
        return {number for (name, _), number in self.retention.items() if name == facts.model}


def read_names(conn: Connected, logs: Mapping[str, int]) -> Names:
    """Read the numbers; `logs` maps names of logs to theirs."""
    models, queues = scan.numbers(conn, "model", "model_id"), scan.numbers(conn, "queue", "queue_id")
    classes = scan.numbers(conn, "retention_class", "retention_class")
    return Names(models, _retention(conn, classes), queues, logs, classes)


def check_key(entry: Entry) -> None:
    """Raise ValueError if an entry's payload names no lawful key."""
    if entry.payload and len(bytes.fromhex(entry.payload.key)) != KEY_ID_BYTES:
        raise ValueError("naming a key of another length")


def check_texts(facts: f.Facts) -> None:
    """Raise ValueError if ids or numbers, which facts carry as texts, cannot be read as such."""
    for name in ("task", "decision", "reviewer", "hold", "erasure", "approval"):
        if (text := getattr(facts, name, None)) is not None:
            UUID(text)
    if final := getattr(facts, "final", None):
        p.number(final.value)
    if isinstance(facts, f.Prediction):
        bytes.fromhex(facts.id)
        if facts.route and facts.route.task:
            UUID(facts.route.task)


def as_compared(table: str, row: Row) -> Row:
    """Put a hash in the place of the body that entries only hash, computed here and not in the database."""
    named = zip(TABLES[table], row, strict=True)
    return tuple(sha256(value).digest() if name == "body" else value for name, value in named)


def differing(columns: Sequence[str], want: Row, have: Row, *, besides: Collection[str] = ()) -> str:
    """Name the columns in which two rows differ, leaving some out; empty if in none."""
    pairs = zip(columns, want, have, strict=True)
    return ", ".join(_bare(name) for name, a, b in pairs if a != b and name not in besides)


def _bare(column: str) -> str:
    return column.rpartition(" AS ")[2]


def rows(
    place: p.Place, entry: Entry, facts: f.Facts, names: Names, *, subject: bytes | None
) -> Iterator[tuple[str, Row]]:
    """Yield (table, row) for each row that an entry asks for; `subject` is its key's id, if a subject's.

    Raises ValueError, LookupError or OverflowError if the facts fit their kind and still make no row.
    """
    match facts:
        case f.Prediction():
            yield "prediction", _prediction(place, facts, names, subject)
        case f.Quarantine():
            yield "quarantine", p.quarantine_row(place, facts)
        case f.Decision():
            yield "decision", p.decision_row(place, facts)
        case f.Label():
            yield "label", _label(place, entry, facts, names)
        case f.Document():
            digest = bytes.fromhex(facts.sha256)
            said = (facts.document, facts.name, facts.version, digest, digest)
            yield "document", (place.log_id, place.seq, *said, place.at)
        case f.SigningKey():
            yield "signing_key", p.signing_key_row(place, facts)
        case f.Anchor():
            yield "anchor", p.anchor_row(place, facts, names.logs[facts.log])
            if (cosigned := p.cosignature_row(place, facts, names.logs[facts.log])) is not None:
                yield "cosignature", cosigned
        case _:
            yield from _of_subjects(place, facts, names)


def _of_subjects(place: p.Place, facts: f.Facts, names: Names) -> Iterator[tuple[str, Row]]:
    match facts:
        case sf.Erasure():
            yield "erased_key", sr.erased_key_row(place, facts)
        case sf.HoldPlaced():
            model_id = names.models[facts.model] if facts.model else None
            yield "hold", sr.hold_row(place, facts, model_id)
        case sf.HoldReleased():
            yield "hold_released", sr.hold_released_row(place, facts)
        case sf.Retention():
            if row := sr.dropped_row(place, facts, names.classes.get(facts.retention_class or "", 0)):
                yield "dropped", row


def task(place: p.Place, facts: f.Prediction, names: Names, activity_log_id: int) -> Row | None:
    """The task that a prediction asks for, as it was made; raises like `rows`."""
    if facts.route is None or facts.route.queue is None:
        return None
    queue_id = names.queues[facts.route.queue]
    return p.task_row(place, facts, names.model(facts.model, facts.contract), queue_id, activity_log_id)


def _prediction(place: p.Place, facts: f.Prediction, names: Names, subject: bytes | None) -> Row:
    queue = facts.route.queue if facts.route else None
    queue_id = None if queue is None else names.queues[queue]
    model = names.model(facts.model, facts.contract)
    return p.prediction_row(place, facts, model, queue_id, subject=subject)[:-1]


def _label(place: p.Place, entry: Entry, facts: f.Label, names: Names) -> Row:
    follows = (names.logs[entry.ref.log], entry.ref.seq) if entry.ref else (None, None)
    return (*p.label_row(place, facts, names.models[facts.model]), *follows)


def _retention(conn: Connected, numbers: Mapping[str, int]) -> dict[tuple[str, int], int]:
    found = {}
    for name, version, body in scan.contracts(conn):
        try:
            found[name, version] = numbers[decode(body)["retention"]["class"]]
        except (ValueError, LookupError, TypeError):
            # The stored contract was changed: its own entry tells that, and its predictions' rows are missed.
            continue
    return found
