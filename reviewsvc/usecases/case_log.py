"""Writes what is done with a case into its activity log, under the key of its prediction."""

from typing import Any

import sqlalchemy as sa

from reviewsvc.db import logs
from reviewsvc.db.logs import Head, SealedPayload
from reviewsvc.domain.case_secrets import ERASED, CaseSecrets, write_secrets
from reviewsvc.domain.entries import Entry, Ref
from reviewsvc.domain.facts import Facts
from reviewsvc.domain.projections import Place
from reviewsvc.usecases.desk import Work
from reviewsvc.usecases.keyring import KeyGoneError


def write(
    work: Work,
    row: sa.Row[Any],
    prediction: Entry,
    kind: str,
    facts: Facts,
    *,
    secrets: CaseSecrets | None = None,
    ref: Ref | None = None,
) -> Place:
    """Append to the log of a task's case; `ref` is the prediction unless another is given.

    After an erasure the secrets are left out. Only label heads may be locked after this.
    """
    heads = logs.lock_heads(work.session, [row.activity_log_id])
    head = heads[row.activity_log_id]
    place = logs.append(
        work.session,
        head,
        kind,
        facts,
        clock=work.clock,
        actor=work.actor,
        ref=ref or Ref(row.prediction_log, row.prediction_seq),
        payload=None if secrets is None else seal(work, head, prediction, secrets),
        retention_class=row.retention_class,
    )
    logs.save_heads(work.session, heads)
    return place


def seal(work: Work, head: Head, prediction: Entry, secrets: CaseSecrets) -> SealedPayload:
    """Seal secrets of a case with its prediction's key, or nothing at all with the log's, if that is gone."""
    session, keyring = work.session, work.desk.keyring
    try:
        return keyring.seal_for_prediction(session, prediction, write_secrets(secrets))
    except KeyGoneError:
        return keyring.seal_for_day(
            session, head.log_id, max(work.clock, head.last_at), write_secrets(ERASED)
        )
