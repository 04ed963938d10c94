"""The facts of each kind of entry: numbers, enum members, ids of ours and keyed hashes, nothing else.

Members that are absent are not written. Numbers with a fraction are strings, see `entries.number`.
"""

from msgspec import field

from reviewsvc.domain import export_facts, fact, subject_facts

Facts = fact.Facts


class Opened(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """First entry of a log. For a captured partition: the topic's id and the first offset."""

    why: str
    topic_id: str | None = None
    first_offset: int | None = None


class Continuation(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """First entry of a log that goes on after a restore: what was kept and what was lost of the one before.

    `size` entries with this `root` were restored, `signed` with `signed_root` had been signed (hashes are
    hex); those from `lost_from` up to, left out, `lost_to` are lost. The ref is the last one that was kept.
    For a captured partition: the topic's id and the offset from which it is read again.
    """

    why: str
    log: str
    size: int
    root: str
    signed: int
    signed_root: str
    lost_from: int
    lost_to: int
    topic_id: str | None = None
    next_offset: int | None = None


class RestoreAdopted(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody let the service write to a database that was restored, moved, or a standby before.

    `logs` went on as new ones, `lost` signed entries are lost, `erasures` were done again. The reason, in
    words, is the payload.
    """

    system_id: str
    timeline: int
    logs: int
    lost: int
    erasures: int
    asked_by: str | None = None


class Gap(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An operator's consent to go on after offsets that cannot be had any more."""

    reason: str
    from_offset: int
    to_offset: int
    topic_id: str
    consented_by: str


class GapConsented(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An operator lets a stopped partition go on, from an offset or from where Kafka goes on.

    The entry's ref is the last entry of the partition's log; that log's `gap` follows when capture does so.
    """

    log: str
    from_offset: int
    to_offset: int | None = None


class TopicAccepted(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An operator lets the relay send everything again to a topic that was deleted and made again."""

    topic: str
    topic_id: str


class Violations(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Faults of an input: the count, and (field's place in the contract, code) of at most 16."""

    count: int
    faults: list[tuple[int, str]] = field(default_factory=list)


class Route(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the policy said. `designs` are (rule, probability); `task` is set when people are asked."""

    pi: str | None = None
    designs: list[tuple[str, str]] = field(default_factory=list)
    task: str | None = None
    queue: str | None = None
    rule: str | None = None
    reasons: list[str] = field(default_factory=list)
    priority: int = 0
    due_s: int | None = None
    reviewers: int = 1
    blind: bool = False


class Prediction(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One answer of a model. `id` hashes (model, source, prediction id); `find` (model, prediction id)."""

    id: str
    find: str
    model: str
    version: int
    contract: int
    policy: int | None
    predicted_at: int
    label: str | None = None
    value: str | None = None
    confidence: str | None = None
    failed: bool = False
    violations: Violations | None = None
    route: Route | None = None


class Quarantine(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What could not be read: the reason's code and, in our words, more of it; bytes, and offsets covered."""

    reason: str
    size: int
    text: str = ""
    offsets: int = 1


class Document(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A version of a contract, policy or queue came into force; SHA-256 of its canonical body."""

    document: str
    name: str
    version: int
    sha256: str


class Person(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A person was added, or their grants, tokens or sessions changed."""

    person: str
    role: str | None = None
    scope: str | None = None
    token: str | None = None


class Refusals(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Refusals before log-in within one minute, by reason."""

    minute: int
    counts: dict[str, int]


class Key(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key of keyed hashes was made; the commitment is SHA-256 of the key."""

    purpose: str
    commit: str


class Access(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A payload was opened; the entry's ref says which, `task` for what."""

    why: str
    task: str | None = None


class Final(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The answer that goes back to the system that asked."""

    status: str
    label: str | None = None
    value: str | None = None
    model_label: str | None = None
    model_value: str | None = None


class Decision(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One reviewer's answer; the entry's ref is the prediction."""

    decision: str
    task: str
    id: str
    model: str
    kind: str
    agreed: bool
    reviewer: str
    predicted_at: int
    label: str | None = None
    value: str | None = None
    final: Final | None = None


class Retraction(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A decision was undone; the entry's ref is the decision."""

    decision: str
    task: str
    id: str
    model: str
    reviewer: str
    predicted_at: int
    final: Final | None = None


class TaskMoved(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A task was escalated, snoozed, flagged, defaulted or withdrawn; the entry's ref is the prediction.

    Withdrawn is what its subject's erasure closes, and, `why` is `retention` then, the end of its time.
    """

    task: str
    id: str
    model: str
    move: str
    predicted_at: int
    queue: str | None = None
    until: int | None = None
    final: Final | None = None
    why: str | None = None


class Label(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What retraining may use, or its withdrawal; the ref is the decision, `supersedes` a seq of this log.

    After a restore it may be one of the log before, which `supersedes_log` names then.
    """

    op: str
    id: str
    model: str
    kind: str
    predicted_at: int
    prediction_log: str
    prediction_seq: int
    prediction_at: int
    agreed: bool
    contract: int
    policy: int | None
    label: str | None = None
    value: str | None = None
    model_label: str | None = None
    model_value: str | None = None
    confidence: str | None = None
    reviewer: str | None = None
    rule: str | None = None
    designs: list[tuple[str, str]] = field(default_factory=list)
    pi: str | None = None
    supersedes: int | None = None
    supersedes_log: str | None = None


class Export(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Labels or entries left the house: what, for which model, up to which seq, how many.

    `token` is the one by which labels were pulled. Of a bundle: `up_to` is how far the root log is in it,
    `manifest` the SHA-256 of its manifest, `about` what was asked.
    """

    what: str
    model: str | None
    rows: int
    up_to: int
    manifest: str | None = None
    payloads: int | None = None
    about: export_facts.About | None = None
    token: str | None = None


class SigningKey(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key that signs checkpoints is good from one moment to another; the last word on a key holds.

    `vkey` is its public half under the name of the origin; each log's key name is the log's own.
    """

    vkey: str
    valid_from: int
    valid_until: int | None = None


class Verification(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The worker verified the logs: what is new or all, how it ended, and where the first finding is."""

    what: str
    verdict: str
    entries: int
    findings: int
    log: str | None = None
    seq: int | None = None


class Checkpoint(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A log's signed checkpoint, and the proof that it extends that log's checkpoint before, `previous`.

    The entry's ref is the last entry that it covers; hashes are hex, `note` is the signed note.
    """

    log: str
    size: int
    root: str
    previous: int
    proof: list[str]
    note: str


class Anchor(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A checkpoint of the root log was given to an anchor, which kept it (`kept`) or why not, as a code.

    The entry's ref is the last entry that it covers. `cosignature` is a witness's line under its `vkey`;
    `evidence` the SHA-256 of a time-stamp authority's answer.
    """

    anchor: str
    how: str
    log: str
    size: int
    root: str
    outcome: str
    vkey: str | None = None
    cosignature: str | None = None
    evidence: str | None = None


# What anchoring and verifying write makes no new seal due by itself, or an idle house would never rest.
UNEVENTFUL = ("anchor", "verification")
# What verifications are about: it chooses the activity log that they stand in.
VERIFICATIONS = "verification"

KINDS: dict[str, type[Facts]] = {
    **subject_facts.KINDS,
    "opened": Opened,
    "continuation": Continuation,
    "restore_adopted": RestoreAdopted,
    "gap": Gap,
    "gap_consented": GapConsented,
    "topic_accepted": TopicAccepted,
    "prediction": Prediction,
    "quarantine": Quarantine,
    "document": Document,
    "person_added": Person,
    "person_disabled": Person,
    "person_enabled": Person,
    "password_set": Person,
    "granted": Person,
    "grant_ended": Person,
    "token_created": Person,
    "token_ended": Person,
    "logged_in": Person,
    "logged_out": Person,
    "session_ended": Person,
    "refusals": Refusals,
    "key_made": Key,
    "access": Access,
    "decision": Decision,
    "retraction": Retraction,
    "task_moved": TaskMoved,
    "label": Label,
    "export": Export,
    "signing_key": SigningKey,
    "checkpoint": Checkpoint,
    "verification": Verification,
    "anchor": Anchor,
}
