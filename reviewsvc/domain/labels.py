"""labels/v1: a label as it leaves, made of its entry and the secrets that its payload holds."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from reviewsvc.domain import facts as f
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets
from reviewsvc.domain.entries import Payload

ORDER_OF_TRUST: Final = ("import", "review", "adjudication", "outcome")
START: Final = "0"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is written by hand, which is three times as fast

read_label = msgspec.json.Decoder(f.Label).decode


class LabelFacts(Struct, frozen=True, gc=False):
    """What a reader needs of a label's facts: no lists, which would keep the garbage collector busy."""

    op: str
    id: str
    model: str
    kind: str
    predicted_at: int
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
    pi: str | None = None
    supersedes: int | None = None
    supersedes_log: str | None = None


class LabelEntry(Struct, frozen=True, gc=False):
    """What a reader needs of a label's entry; the rest of it is skipped."""

    seq: int
    at: int
    facts: LabelFacts
    payload: Payload | None = None


read_label_entry: Final = msgspec.json.Decoder(LabelEntry).decode
_MARK: Final = b'"kind":"label"'


class CursorError(ValueError):
    """The cursor is none that this service gave."""


class LabelRecord(Struct, frozen=True, gc=False):
    """One label or its withdrawal, in the order of labels/v1; times are RFC 3339 in UTC."""

    label_id: str
    seq: int
    op: str
    model: str
    version: str | None
    source: str | None
    prediction_id: str | None
    predicted_at: str
    labelled_at: str
    value: str | float | None
    model_value: str | float | None
    confidence: float | None
    agreed: bool
    kind: str
    reviewer: str | None
    contract_version: int
    policy_version: int | None
    rule: str | None
    selection_probability: float | None
    weight: float | None
    supersedes: str | None
    entry_log: str
    entry_seq: int


FIELDS: Final = LabelRecord.__struct_fields__


class Cursor(Struct, frozen=True, order=True):
    """A place in a label log: everything up to and with this seq of this incarnation was read."""

    incarnation: int
    seq: int

    def __str__(self) -> str:
        """Write it as the cursor that the next question takes."""
        return f"{self.incarnation}.{self.seq}"


def read_cursor(text: str | None) -> Cursor | None:
    """Read a cursor; None for the start. Raises CursorError."""
    if not text or text == START:
        return None
    incarnation, _, seq = text.partition(".")
    if not (_is_count(incarnation) and _is_count(seq)):
        raise CursorError(f"expected 0 or the last answer's next, such as 0.17, not {text[:40]!r}")
    return Cursor(int(incarnation), int(seq))


def is_label(body: bytes) -> bool:
    """Say whether an entry of a label log is a label: its first entry says how the log was opened."""
    return _MARK in body


def label_record(log: str, entry: LabelEntry, secrets: CaseSecrets | None) -> LabelRecord:
    """A label as it leaves; without its secrets, since its subject was erased, it leaves as a withdrawal.

    `log` is the log's name, without the origin in front.
    """
    opened, said = secrets or ERASED, entry.facts
    incarnation = _incarnation(log)
    pi = number(said.pi)
    return LabelRecord(
        label_id=f"{incarnation}.{entry.seq}",
        seq=entry.seq,
        op=said.op if secrets else "withdraw",
        model=said.model,
        version=opened.version,
        source=opened.source,
        prediction_id=opened.prediction_id,
        predicted_at=rfc3339(said.predicted_at),
        labelled_at=rfc3339(entry.at),
        value=value_of(said.label, said.value, opened.text),
        model_value=value_of(said.model_label, said.model_value, opened.model_text),
        confidence=number(said.confidence),
        agreed=said.agreed,
        kind=said.kind,
        reviewer=said.reviewer,
        contract_version=said.contract,
        policy_version=said.policy,
        rule=said.rule,
        selection_probability=pi,
        weight=None if not pi else 1 / pi,
        supersedes=None if said.supersedes is None else _superseded(said, incarnation),
        entry_log=log,
        entry_seq=entry.seq,
    )


def outranks(kind: str, standing: str) -> bool:
    """Say whether a label of a kind takes the place of one that stands: as much trust, or more."""
    return ORDER_OF_TRUST.index(kind) >= ORDER_OF_TRUST.index(standing)


def withdrawal(said: f.Label, seq: int, reviewer: str | None, log: str | None = None) -> f.Label:
    """The facts that take back the label at a seq of the same log, or of an older incarnation's `log`."""
    taken = {"supersedes": seq, "supersedes_log": log}
    return msgspec.structs.replace(said, op="withdraw", label=None, value=None, reviewer=reviewer, **taken)


def value_of(label: str | None, value: str | None, text: str | None) -> str | float | None:
    """An answer as it leaves: its class, its number or its text."""
    if label is not None:
        return label
    return text if value is None else float(value)


def number(text: str | None) -> float | None:
    """A number of facts as it leaves."""
    return None if text is None else float(text)


def rfc3339(at_us: int) -> str:
    """A moment in UTC with microseconds, such as 2026-11-21T10:28:00.000001Z."""
    second, microsecond = divmod(at_us, 1_000_000)
    return f"{_second(second)}.{microsecond:06}Z"


@lru_cache(maxsize=4096)
def _second(since_1970: int) -> str:
    return (_EPOCH + timedelta(seconds=since_1970)).isoformat()


def _incarnation(log: str) -> str:
    return log.rpartition("/")[2]


def _superseded(said: LabelFacts, incarnation: str) -> str:
    """The id of the label that another takes the place of; before a restore it lay in another log."""
    return f"{_incarnation(said.supersedes_log) if said.supersedes_log else incarnation}.{said.supersedes}"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - what a bigint holds
