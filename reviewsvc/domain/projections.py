"""Maps an entry and, where its key still exists, its opened payload to the rows that the tables hold.

Whoever writes, verifies or rebuilds calls these; columns that come from a payload are keyword arguments
that default to empty, as they must be once the key is gone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from reviewsvc.domain import facts as f
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Entry


class Place(NamedTuple):
    """Where an entry stands: its log's id, its seq, its time in microseconds."""

    log_id: int
    seq: int
    at: int


class ModelIds(NamedTuple):
    """A model's numbers in the tables."""

    model_id: int
    retention_class: int


class PredictionRow(NamedTuple):
    """A row of `prediction`, columns in the table's order."""

    retention_class: int
    at: int
    log_id: int
    seq: int
    id_hash: bytes
    find: int
    model_id: int
    version_id: int
    contract_version: int
    policy_version: int | None
    predicted_at: int
    label: str | None
    value: float | None
    confidence: float | None
    failed: bool
    violations: int
    queue_id: int | None
    rule: str | None
    selection_probability: float | None
    subject: bytes | None
    segment: int | None


class QuarantineRow(NamedTuple):
    """A row of `quarantine`."""

    log_id: int
    seq: int
    at: int
    reason: str
    size: int


class TaskRow(NamedTuple):
    """What `task` holds when it is made; its status, answer and times of work are not from this entry."""

    task_id: UUID
    id_hash: bytes
    model_id: int
    queue_id: int
    retention_class: int
    prediction_at: int
    prediction_log_id: int
    prediction_seq: int
    activity_log_id: int
    contract_version: int
    policy_version: int | None
    rule: str
    reasons: list[str]
    selection_probability: float | None
    model_label: str | None
    model_value: float | None
    priority: int
    reviewers: int
    blind: bool
    created_us: int
    due_us: int | None


class DecisionRow(NamedTuple):
    """What `decision` holds when it is made."""

    decision_id: UUID
    task_id: UUID
    reviewer_id: UUID
    kind: str
    label: str | None
    value: float | None
    agreed: bool
    at: int
    log_id: int
    seq: int


class LabelRow(NamedTuple):
    """A row of `label`; its decision's log is found by the entry's ref."""

    log_id: int
    seq: int
    at: int
    op: str
    model_id: int
    id_hash: bytes
    kind: str
    label: str | None
    value: float | None
    prediction_at: int
    supersedes: int | None


class ActivityRow(NamedTuple):
    """A row of `activity`."""

    log_id: int
    seq: int
    at: int
    kind: str
    actor: str
    task_id: UUID | None
    object: str | None


class CheckpointRow(NamedTuple):
    """A row of `checkpoint`: of the log that it is about, with the place of its entry in a root log."""

    log_id: int
    size: int
    root: bytes
    note: str
    at: int
    root_seq: int | None
    root_log_id: int | None = None


class SigningKeyRow(NamedTuple):
    """A row of `signing_key`."""

    log_id: int
    seq: int
    vkey: str
    valid_from: int
    valid_until: int | None


class AnchorRow(NamedTuple):
    """A row of `anchor`."""

    log_id: int
    seq: int
    at: int
    name: str
    kind: str
    root_log_id: int
    size: int
    outcome: str
    evidence: bytes | None


class CosignatureRow(NamedTuple):
    """A row of `cosignature`."""

    log_id: int
    seq: int
    root_log_id: int
    size: int
    vkey: str
    line: str


def prediction_row(
    place: Place,
    said: f.Prediction,
    model: ModelIds,
    queue_id: int | None,
    *,
    subject: bytes | None = None,
    segment: int | None = None,
) -> PredictionRow:
    """The row of a prediction; `subject` and `segment` come from its payload."""
    route = said.route
    return PredictionRow(
        model.retention_class,
        place.at,
        place.log_id,
        place.seq,
        bytes.fromhex(said.id),
        signed64(said.find),
        model.model_id,
        said.version,
        said.contract,
        said.policy,
        said.predicted_at,
        said.label,
        number(said.value),
        number(said.confidence),
        said.failed,
        said.violations.count if said.violations else 0,
        queue_id,
        route.rule if route else None,
        number(route.pi) if route else None,
        subject,
        segment,
    )


def task_row(
    place: Place, said: f.Prediction, model: ModelIds, queue_id: int, activity_log_id: int
) -> TaskRow | None:
    """The task that a prediction asks for, or None if no person is asked."""
    route = said.route
    if route is None or route.task is None or route.rule is None:
        return None
    return TaskRow(
        UUID(route.task),
        bytes.fromhex(said.id),
        model.model_id,
        queue_id,
        model.retention_class,
        place.at,
        place.log_id,
        place.seq,
        activity_log_id,
        said.contract,
        said.policy,
        route.rule,
        route.reasons,
        number(route.pi),
        said.label,
        number(said.value),
        route.priority,
        route.reviewers,
        route.blind,
        place.at,
        None if route.due_s is None else place.at + route.due_s * 1_000_000,
    )


def quarantine_row(place: Place, said: f.Quarantine) -> QuarantineRow:
    """The row of an event that could not be read."""
    return QuarantineRow(place.log_id, place.seq, place.at, said.reason, said.size)


def decision_row(place: Place, said: f.Decision) -> DecisionRow:
    """The row of a reviewer's answer."""
    return DecisionRow(
        UUID(said.decision),
        UUID(said.task),
        UUID(said.reviewer),
        said.kind,
        said.label,
        number(said.value),
        said.agreed,
        place.at,
        place.log_id,
        place.seq,
    )


def label_row(place: Place, said: f.Label, model_id: int) -> LabelRow:
    """The row of a label or of its withdrawal."""
    return LabelRow(
        place.log_id,
        place.seq,
        place.at,
        said.op,
        model_id,
        bytes.fromhex(said.id),
        said.kind,
        said.label,
        number(said.value),
        said.prediction_at,
        said.supersedes,
    )


def checkpoint_row(place: Place, said: f.Checkpoint, log_id: int) -> CheckpointRow:
    """The row of a log's checkpoint; `log_id` is that of the log, `place` its entry's in the root log."""
    root = bytes.fromhex(said.root)
    return CheckpointRow(log_id, said.size, root, said.note, place.at, place.seq, place.log_id)


def signing_key_row(place: Place, said: f.SigningKey) -> SigningKeyRow:
    """The row of what was said of a signing key."""
    return SigningKeyRow(place.log_id, place.seq, said.vkey, said.valid_from, said.valid_until)


def anchor_row(place: Place, said: f.Anchor, root_log_id: int) -> AnchorRow:
    """The row of what an anchor answered."""
    evidence = None if said.evidence is None else bytes.fromhex(said.evidence)
    return AnchorRow(*place, said.anchor, said.how, root_log_id, said.size, said.outcome, evidence)


def cosignature_row(place: Place, said: f.Anchor, root_log_id: int) -> CosignatureRow | None:
    """The row of a witness's signature; None if the answer has none."""
    if said.vkey is None or said.cosignature is None:
        return None
    return CosignatureRow(place.log_id, place.seq, root_log_id, said.size, said.vkey, said.cosignature)


def activity_row(place: Place, entry: Entry, said: f.Facts) -> ActivityRow:
    """The row of whatever people and processes did."""
    actor = f"{entry.actor.kind}:{entry.actor.id}" if entry.actor else "service"
    task = getattr(said, "task", None)
    return ActivityRow(
        place.log_id, place.seq, place.at, entry.kind, actor, UUID(task) if task else None, _object(said)
    )


def signed64(hexadecimal: str) -> int:
    """Sixteen hex digits as the signed 64-bit number that an index holds."""
    return int.from_bytes(bytes.fromhex(hexadecimal), signed=True)


def number(text: str | None) -> float | None:
    """A number of facts as the tables hold it."""
    return None if text is None else float(text)


def _object(said: f.Facts) -> str | None:
    told = _OBJECTS.get(type(said))
    return told(said) if told else None


_OBJECTS: dict[type[f.Facts], Callable[[Any], str]] = {
    f.Document: lambda said: f"{said.document}:{said.name}:{said.version}",
    f.Person: lambda said: f"person:{said.person}",
    f.SigningKey: lambda said: f"key:{said.vkey.split('+', 2)[1]}",
    f.Continuation: lambda said: f"log:{said.log}",
    f.GapConsented: lambda said: f"log:{said.log}",
    f.TopicAccepted: lambda said: f"topic:{said.topic}",
    f.Anchor: lambda said: f"anchor:{said.anchor}:{said.outcome}",
    f.Export: lambda said: f"{said.what}:{said.model or '*'}",
    f.Decision: lambda said: f"decision:{said.decision}",
    f.Retraction: lambda said: f"decision:{said.decision}",
    sf.Retention: lambda said: f"{said.table}:{said.retention_class or '*'}",
    sf.KekRotated: lambda said: f"kek:{said.kek}",
    sf.ErasureAsked: lambda said: f"subject:{said.subject}",
    sf.Erasure: lambda said: f"subject:{said.subject}",
    sf.ApprovalAsked: lambda said: f"hold:{said.hold}" if said.hold else f"subject:{said.subject}",
    sf.SubjectExport: lambda said: f"subject:{said.subject}",
    sf.ReceiverTold: lambda said: f"erasure:{said.erasure}",
    sf.HoldPlaced: lambda said: f"hold:{said.hold}",
    sf.HoldReleased: lambda said: f"hold:{said.hold}",
}
