"""The answer that goes back to the system that asked: made of an entry that ends or reopens a task."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from reviewsvc.domain import facts as f
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.labels import rfc3339, value_of

STATUSES: Final = ("auto", "pending", "decided", "overdue", "defaulted", "withdrawn")
Ending = f.Decision | f.Retraction | f.TaskMoved

_DECODERS: Final[dict[str, Callable[[bytes], Ending]]] = {
    "decision": msgspec.json.Decoder(f.Decision).decode,
    "retraction": msgspec.json.Decoder(f.Retraction).decode,
    "task_moved": msgspec.json.Decoder(f.TaskMoved).decode,
}


class DecisionRecord(Struct, frozen=True):
    """One final answer, in the order of decisions/v1; a retracted one is `pending` again."""

    model: str
    version: str | None
    source: str | None
    prediction_id: str | None
    status: str
    value: str | float | None
    model_value: str | float | None
    decided_at: str | None
    reviewer: str | None
    decision_id: str | None
    entry_log: str
    entry_seq: int


FIELDS: Final = DecisionRecord.__struct_fields__


def may_end(body: bytes) -> bool:
    """Say whether an entry may carry an answer that goes back, without decoding it: most do not."""
    return b'"final":' in body


def read_ending(entry: Entry) -> Ending | None:
    """Read what an entry of an activity log says of a task, if it carries an answer that goes back."""
    decode = _DECODERS.get(entry.kind)
    said = decode(bytes(entry.facts)) if decode else None
    return said if said is not None and said.final is not None else None


def decision_record(log: str, entry: Entry, said: Ending, secrets: CaseSecrets | None) -> DecisionRecord:
    """The answer as it leaves; without its secrets, since its subject was erased, it leaves as withdrawn.

    `log` is the log's name, without the origin in front.
    """
    opened, final = secrets or ERASED, said.final
    assert final is not None
    who, what = (None, None) if isinstance(said, f.TaskMoved) else (said.reviewer, said.decision)
    return DecisionRecord(
        model=said.model,
        version=opened.version,
        source=opened.source,
        prediction_id=opened.prediction_id,
        status=final.status if secrets else "withdrawn",
        value=value_of(final.label, final.value, opened.text),
        model_value=value_of(final.model_label, final.model_value, opened.model_text),
        decided_at=rfc3339(entry.at),
        reviewer=who,
        decision_id=what,
        entry_log=log,
        entry_seq=entry.seq,
    )
