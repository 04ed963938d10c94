"""Closes open tasks as withdrawn: what they are about is erased, or no longer kept."""

from typing import Any

import sqlalchemy as sa

from reviewsvc.db import slots, tasks
from reviewsvc.domain import facts as f
from reviewsvc.domain import review
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets
from reviewsvc.domain.entries import Entry
from reviewsvc.domain.review import Act
from reviewsvc.usecases import case_log, dossiers
from reviewsvc.usecases.desk import Work
from reviewsvc.usecases.dossiers import ErasedError


def withdraw(work: Work, row: sa.Row[Any], task: review.Task, *, why: str | None = None) -> None:
    """Close a locked task, without a label. The entry says nothing that the producer sent.

    With a reason other than erasure the producer's ids stand in its payload, while they can still be read:
    who asked is told which of its predictions it is.
    """
    after = review.end(task, Act.WITHDRAW)
    entry = dossiers.prediction(work.session, row)
    said = dossiers.read_said(entry)
    status = after.status.value
    facts = f.TaskMoved(
        task=str(row.task_id),
        id=said.id,
        model=said.model,
        move=status,
        predicted_at=said.predicted_at,
        final=f.Final(status, None, None, said.label, said.value),
        why=why,
    )
    secrets = _ids(work, row, entry) if why else ERASED
    place = case_log.write(work, row, entry, "task_moved", facts, secrets=secrets, is_past=why is not None)
    slots.save(work.session, row, task.slots, after.slots)
    tasks.save(
        work.session,
        row.task_id,
        status=status,
        closed_at=work.at,
        answer_log_id=place.log_id,
        answer_seq=place.seq,
    )


def _ids(work: Work, row: sa.Row[Any], entry: Entry) -> CaseSecrets:
    try:
        event = dossiers.open_event(work.session, work.desk, entry, row.prediction_log_id)
    except ErasedError:
        return ERASED
    return CaseSecrets(event.model.version, event.source, event.prediction_id)
