"""The answer to a system that asks what became of its prediction."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from reviewsvc.crypto.keyed import id_hash
from reviewsvc.db import logs, predictions, receivers, seals, tasks, versions
from reviewsvc.domain import facts as f
from reviewsvc.domain.case_secrets import CaseSecrets
from reviewsvc.domain.decisions import DecisionRecord, decision_record, read_ending
from reviewsvc.domain.entries import Actor, Ref, parse
from reviewsvc.domain.labels import rfc3339, value_of
from reviewsvc.usecases import dossiers, sent_ids
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.dossiers import ErasedError
from reviewsvc.usecases.sent_ids import Sent

_ENDED: Final = ("decided", "defaulted", "withdrawn")


def answer(
    desk: Desk,
    model: str,
    prediction_id: str,
    source: str | None,
    *,
    actor: Actor,
    at: datetime,
    token: UUID | None = None,
) -> DecisionRecord:
    """Say what became of a prediction: auto, pending, decided, overdue, defaulted or withdrawn.

    Raises NotCapturedError, and SeveralSourcesError if no source is given and several sent this id.
    """
    with desk.work(actor, at) as work:
        found = _find(work, Sent(model, prediction_id, source))
        by = f"{actor.kind}:{actor.id}" + (f":{token}" if token else "")
        receivers.note_answer(work.session, model, by, at)
        secrets = CaseSecrets(
            versions.version_text(work.session, found.version_id),
            source or _source(work, found, model, prediction_id),
            prediction_id,
        )
        task = tasks.by_id_hash(work.session, bytes(found.id_hash))
        if (
            task is not None
            and task.status in _ENDED
            and _has_left(work, task.answer_log_id, task.answer_seq)
        ):
            return _ended(work, task, secrets)
        return _open(found, task, model, secrets, at)


def _find(work: Work, sent: Sent) -> sa.Row[Any]:
    key = work.desk.keyring.hash_key(work.session, "prediction")
    found = predictions.find(work.session, sent.model, sent_ids.place(key, sent))
    return sent_ids.the_one(key, sent, [row for row in found if _has_left(work, row.log_id, row.seq)])


def _has_left(work: Work, log_id: int | None, seq: int | None) -> bool:
    """Say whether an entry may be told: there is one, and it is signed, once entries are signed at all."""
    return log_id is not None and seq is not None and seq < seals.leaving_size(work.session, log_id)


def _source(work: Work, found: sa.Row[Any], model: str, prediction_id: str) -> str | None:
    """The topic, if its keyed hash fits; else what the opened payload says, which is logged."""
    key = work.desk.keyring.hash_key(work.session, "prediction")
    if id_hash(key, model, found.topic or "", prediction_id) == bytes(found.id_hash):
        return str(found.topic)
    entry = parse(logs.one(work.session, found.log_id, found.seq))
    try:
        event = dossiers.open_event(work.session, work.desk, entry, found.log_id)
    except ErasedError:
        return None
    said = Said("access", f.Access(why="decision"), about=model, ref=Ref(found.log, found.seq))
    record(work.session, work.desk.keyring, [said], actor=work.actor, at=work.at)
    return event.source


def _ended(work: Work, task: sa.Row[Any], secrets: CaseSecrets) -> DecisionRecord:
    log = logs.names(work.session, [task.answer_log_id])[task.answer_log_id]
    entry = parse(logs.one(work.session, task.answer_log_id, task.answer_seq))
    said = read_ending(entry)
    assert said is not None
    if said.final and said.final.label is None and said.final.value is None:
        opened = dossiers.open_secrets(work.session, work.desk, task.answer_log_id, task.answer_seq)
        if opened:
            secrets = msgspec.structs.replace(secrets, text=opened.text, model_text=opened.model_text)
    return decision_record(log, entry, said, secrets)


def _open(
    found: sa.Row[Any], task: sa.Row[Any] | None, model: str, secrets: CaseSecrets, at: datetime
) -> DecisionRecord:
    status = "auto" if task is None else _status(task, at)
    said = value_of(found.label, None if found.value is None else repr(found.value), None)
    return DecisionRecord(
        model=model,
        version=secrets.version,
        source=secrets.source,
        prediction_id=secrets.prediction_id,
        status=status,
        value=said if status == "auto" else None,
        model_value=said,
        decided_at=rfc3339(found.at) if status == "auto" else None,
        reviewer=None,
        decision_id=None,
        entry_log=found.log,
        entry_seq=found.seq,
    )


def _status(task: sa.Row[Any], at: datetime) -> str:
    if task.status == "withdrawn":
        return "withdrawn"
    is_late = task.overdue or (task.due_at is not None and task.due_at <= at)
    return "overdue" if is_late else "pending"
