"""The facts of what is done about subjects: erasures, legal holds, exports, retention, and their keys."""

from reviewsvc.domain.fact import Facts


class ErasureAsked(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody asked for a subject's erasure, agreed to it, or refused it; `subject` is the pseudonym.

    With `log` and `seq` it is about the quarantined event at that place, which has a key of its own.
    """

    erasure: str
    subject: str
    log: str | None = None
    seq: int | None = None


class Erasure(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A subject's key was destroyed: what it covered, what was closed and taken back, who had received it.

    The entry's ref is the request, unless it is replayed from the journal on a restored database.
    """

    erasure: str
    subject: str
    predictions: int
    tasks: int
    labels: int
    left: int
    replayed: bool = False


class ApprovalAsked(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody asked for an act that a second person must agree to, agreed to it, or refused it.

    `act` is `export`, `hold` or `release`; what it is about is named as in `hold_placed`, a hold by its id.
    """

    approval: str
    act: str
    hold: str | None = None
    subject: str | None = None
    model: str | None = None
    id: str | None = None
    find: str | None = None


class ReceiverTold(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody who had received what was erased was told of it: which item of the erasure's list."""

    erasure: str
    item: int


class HoldPlaced(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something may not be erased or dropped: a subject's data, a model's, or one case's."""

    hold: str
    subject: str | None = None
    model: str | None = None
    id: str | None = None
    find: str | None = None


class HoldReleased(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A legal hold has ended; the entry's ref is the one that placed it."""

    hold: str


class SubjectExport(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that is held of a subject was given to somebody: how many predictions, and entries about them."""

    subject: str
    predictions: int
    entries: int


class Retention(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A month of a retention class was dropped, or what had been kept of dropped months for a hold.

    `held` rows were copied first, open `tasks` were withdrawn with it; times are microseconds.
    """

    table: str
    rows: int
    retention_class: str | None = None
    since: int | None = None
    until: int | None = None
    held: int = 0
    bytes: int = 0
    tasks: int = 0


class KekRotated(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All keys are wrapped by another key-encryption key now: its id, and how many were wrapped anew."""

    kek: str
    data_keys: int
    hash_keys: int


KINDS: dict[str, type[Facts]] = {
    "erasure_requested": ErasureAsked,
    "erasure_approved": ErasureAsked,
    "erasure_refused": ErasureAsked,
    "erasure": Erasure,
    "approval_requested": ApprovalAsked,
    "approval_granted": ApprovalAsked,
    "approval_refused": ApprovalAsked,
    "receiver_told": ReceiverTold,
    "hold_placed": HoldPlaced,
    "hold_released": HoldReleased,
    "subject_export": SubjectExport,
    "retention": Retention,
    "kek_rotated": KekRotated,
}
