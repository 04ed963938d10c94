"""The story of a case across all logs: from its capture to what became of its label, step by step."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.db import case_entries as rows
from reviewsvc.db import case_keeping as stored
from reviewsvc.db import logs, seals
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.contract import Contract
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.moments import moment
from reviewsvc.domain.projections import number
from reviewsvc.domain.showing import answer_words
from reviewsvc.domain.story_words import Named, Told, captured, routed, tell
from reviewsvc.usecases import case_keeping, dossiers, names
from reviewsvc.usecases.case_keeping import Placed
from reviewsvc.usecases.desk import Desk

# So many steps of a kind are told; nobody reads more.
_MOST: Final = 500
_MOST_LOOKS: Final = 5_000


class CaseMissingError(LookupError):
    """There is no prediction at this place."""


class Step(NamedTuple):
    """One thing that happened with a case, by whom, and its entry; what stands in no log has none."""

    what: str
    words: str
    at: datetime
    by: str | None
    facts: tuple[tuple[str, str], ...]
    log_id: int | None = None
    log: str | None = None
    seq: int | None = None
    is_sealed: bool = False


class Story(NamedTuple):
    """A case: where its prediction's entry stands, what it is about, and its steps, the oldest first.

    `rules` are those of its policy that matched, as they were applied; `is_kept` says whether the
    prediction's payload is still stored.
    """

    log_id: int
    log: str
    seq: int
    model: str
    version: str
    queue: str | None
    status: str
    task_id: UUID | None
    subject: str | None
    steps: tuple[Step, ...]
    rules: tuple[dict[str, Any], ...]
    is_erased: bool
    is_kept: bool


def tell_case(desk: Desk, log_id: int, seq: int) -> Story:
    """Tell a case's story from its prediction's entry, opening no payload. Raises CaseMissingError."""
    with desk.sessions.begin() as session:
        row = case_row(session, log_id, seq)
        entry = parse(logs.one(session, log_id, seq))
        said = dossiers.read_said(entry)
        contract = desk.terms.contract(session, row.model, row.contract_version)
        policy = rows.policy(session, row.model, row.policy_version)
        rules = _rules(said, policy)
        told = _told(session, row, contract)
        told += [
            Placed(row.log_id, row.log, entry, None, each) for each in _begun(entry, said, contract, rules)
        ]
        told += case_keeping.told_of(session, row, entry, told)
        steps = _steps(session, told, policy)
        steps += _relayed(session, told)
        return Story(
            log_id=log_id,
            log=row.log,
            seq=seq,
            model=row.model,
            version=row.version,
            queue=row.task_queue or row.queue,
            status=row.status or "auto",
            task_id=row.task_id,
            subject=row.subject and bytes(row.subject).hex(),
            steps=tuple(sorted(steps, key=lambda step: (step.at, _ORDER.get(step.what, _ACT)))),
            rules=tuple(rules),
            is_erased=not _can_open(session, desk, entry),
            is_kept=stored.is_stored(session, case_keeping.marks(row, entry)),
        )


def place(desk: Desk, log_id: int, seq: int) -> tuple[str, str | None]:
    """Return a case's model and its queue, for permissions. Raises CaseMissingError."""
    with desk.sessions.begin() as session:
        row = case_row(session, log_id, seq)
        return row.model, row.task_queue


# What happened in the same microsecond is told in this order: what follows from an erasure comes after it.
_ORDER: Final = {"policy": 0, "captured": 1, "routed": 2, "erasure": 10, "withdrawn": 11}
_ACT: Final = 9


def case_row(session: Session, log_id: int, seq: int) -> sa.Row[Any]:
    """Return the row of a case. Raises CaseMissingError."""
    row = rows.case(session, log_id, seq)
    if row is None:
        raise CaseMissingError(f"Log {log_id} has no prediction at {seq}, or it is not kept any more.")
    return row


def _begun(
    entry: Entry, said: f.Prediction, contract: Contract, rules: Iterable[Mapping[str, Any]]
) -> list[Told]:
    reasons = {str(rule["id"]): str(rule.get("description", "")) for rule in rules}
    return [captured(entry, said, _namer(contract)), routed(said, reasons)]


def _told(session: Session, row: sa.Row[Any], contract: Contract) -> list[Placed]:
    found = rows.acts(session, row, _MOST_LOOKS) + rows.labels(session, row.id_hash, _MOST)
    placed = [_placed(each, contract) for each in found]
    labels = [each for each in placed if each.entry.kind == "label"]
    if labels:
        pulls = [
            _placed(each, contract) for each in rows.pulls(session, row.model, labels[0].entry.at, _MOST)
        ]
        placed += [each for each in pulls if _reaches(each.entry, labels[0].entry.seq)]
    return placed


def _placed(row: sa.Row[Any], contract: Contract) -> Placed:
    entry = parse(bytes(row.body))
    return Placed(row.log_id, row.log, entry, row.actor, tell(entry, _namer(contract)))


def _reaches(entry: Entry, seq: int) -> bool:
    return msgspec.json.decode(entry.facts, type=f.Export).up_to >= seq


def _steps(session: Session, told: list[Placed], policy: sa.Row[Any] | None) -> list[Step]:
    sealed = {log_id: seals.sealed_size(session, log_id) or 0 for log_id in {each.log_id for each in told}}
    called = names.called(session, {each.actor for each in told if each.actor})
    steps = [
        Step(
            each.told.what,
            each.told.words,
            moment(each.entry.at),
            called.get(each.actor or ""),
            each.told.facts,
            each.log_id,
            each.log,
            each.entry.seq,
            each.entry.seq < sealed[each.log_id],
        )
        for each in told
    ]
    if policy is not None:
        is_sealed = policy.seq < (seals.sealed_size(session, policy.log_id) or 0)
        words = (
            f"Policy {policy.name}, version {policy.version}, came into force: it was the one that counted"
        )
        place = (policy.log_id, policy.log, policy.seq)
        steps.append(Step("policy", words, policy.applied_at, None, (), *place, is_sealed))
    return steps


def _relayed(session: Session, told: list[Placed]) -> list[Step]:
    """What the relay sent on stands in its topic, not in a log: it is told by the relay's own place."""
    found = []
    for each in told:
        if each.entry.kind == "label":
            for row in rows.relayed(session, each.log_id, each.entry.seq):
                words = f"By then the relay had sent label {each.entry.seq} on"
                found.append(Step("used", words, row.noted_at, None, (("Topic", row.topic),)))
    return found


def _rules(said: f.Prediction, policy: sa.Row[Any] | None) -> list[dict[str, Any]]:
    wanted = set(said.route.reasons) if said.route else set()
    body = msgspec.json.decode(bytes(policy.body)) if policy is not None else {"rules": []}
    return [rule for rule in body["rules"] if rule["id"] in wanted]


def _namer(contract: Contract) -> Named:
    def named(label: str | None, value: str | None) -> str | None:
        return answer_words(contract, label, number(value))

    return named


def _can_open(session: Session, desk: Desk, entry: Entry) -> bool:
    try:
        desk.keyring.data_key(session, bytes.fromhex(entry.payload.key if entry.payload else ""))
    except LookupError:
        return False
    return True
