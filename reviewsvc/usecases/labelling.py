"""Writes labels and their withdrawals into a model's label log; its head's lock decides what is in force."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from reviewsvc.db import labels as rows
from reviewsvc.db import logs
from reviewsvc.db.logs import Head
from reviewsvc.domain import facts as f
from reviewsvc.domain.agreement import Answer
from reviewsvc.domain.case_secrets import ERASED, write_secrets
from reviewsvc.domain.entries import Ref, number, parse
from reviewsvc.domain.labels import outranks, read_label, withdrawal
from reviewsvc.domain.projections import Place, label_row
from reviewsvc.usecases import case_log
from reviewsvc.usecases.desk import Work
from reviewsvc.usecases.dossiers import Dossier


def add(work: Work, case: Dossier, answer: Answer, kind: str, decided: Place) -> None:
    """Append the label that an answer makes, unless one that deserves more trust is in force."""
    heads = logs.lock_heads(work.session, [case.row.label_log_id])
    head = heads[case.row.label_log_id]
    standing = rows.current(work.session, case.row.model_id, case.row.id_hash)
    if standing is not None and not outranks(kind, standing.kind):
        return
    said = _facts(work, case, answer, kind)
    if standing is not None:
        older = _older(work, head, standing.log_id)
        said = msgspec.structs.replace(said, supersedes=standing.seq, supersedes_log=older)
    _append(work, case, head, said, follows=decided, text=answer.text)
    logs.save_heads(work.session, heads)


def withdraw(work: Work, case: Dossier, decided: tuple[int, int], retracted: Place) -> None:
    """Take back the label that the decision at a place (log id, seq) made, if it is the one in force."""
    heads = logs.lock_heads(work.session, [case.row.label_log_id])
    head = heads[case.row.label_log_id]
    standing = rows.current(work.session, case.row.model_id, case.row.id_hash)
    if standing is None or (standing.decision_log_id, standing.decision_seq) != decided:
        return
    made = parse(logs.one(work.session, standing.log_id, standing.seq))
    older = _older(work, head, standing.log_id)
    said = withdrawal(read_label(made.facts), standing.seq, work.actor.id if work.actor else None, older)
    _append(work, case, head, said, follows=retracted)
    logs.save_heads(work.session, heads)


def _older(work: Work, head: Head, log_id: int) -> str | None:
    """The name of the log that a standing label is in, if that is not the one which is written to now."""
    return None if log_id == head.log_id else logs.names(work.session, [log_id])[log_id]


def withdraw_erased(work: Work, standing: Sequence[sa.Row[Any]], erased: Place, log: str) -> None:
    """Take back labels of an erased subject; `erased` is the erasure's entry, in the log of this name."""
    heads = logs.lock_heads(work.session, {row.label_log_id for row in standing}) if standing else {}
    for row in standing:
        head = heads[row.label_log_id]
        made = parse(logs.one(work.session, row.log_id, row.seq))
        said = withdrawal(read_label(made.facts), row.seq, None, _older(work, head, row.log_id))
        clock = max(work.clock, head.last_at)
        place = logs.append(
            work.session,
            head,
            "label",
            said,
            clock=clock,
            actor=work.actor,
            ref=Ref(log, erased.seq),
            payload=work.desk.keyring.seal_for_day(work.session, head.log_id, clock, write_secrets(ERASED)),
            retention_class=row.retention_class,
        )
        rows.add(work.session, label_row(place, said, row.model_id), erased)
    logs.save_heads(work.session, heads)


def _append(
    work: Work, case: Dossier, head: Head, said: f.Label, *, follows: Place, text: str | None = None
) -> None:
    secrets = msgspec.structs.replace(case.secrets, text=text)
    place = logs.append(
        work.session,
        head,
        "label",
        said,
        clock=work.clock,
        actor=work.actor,
        ref=Ref(case.row.activity_log, follows.seq),
        payload=case_log.seal(work, head, case.entry, secrets),
        retention_class=case.row.retention_class,
    )
    rows.add(work.session, label_row(place, said, case.row.model_id), follows)


def _facts(work: Work, case: Dossier, answer: Answer, kind: str) -> f.Label:
    said, route = case.said, case.said.route
    return f.Label(
        op="add",
        id=said.id,
        model=said.model,
        kind=kind,
        predicted_at=said.predicted_at,
        prediction_log=case.row.prediction_log,
        prediction_seq=case.entry.seq,
        prediction_at=case.entry.at,
        agreed=answer == case.model_answer,
        contract=said.contract,
        policy=said.policy,
        label=answer.label,
        value=number(answer.value),
        model_label=said.label,
        model_value=said.value,
        confidence=said.confidence,
        reviewer=work.actor.id if work.actor else None,
        rule=route.rule if route else None,
        designs=route.designs if route else [],
        pi=route.pi if route else None,
    )
