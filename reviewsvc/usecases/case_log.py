"""Writes what is done with a case into its activity log, under the key of its prediction."""

from typing import Any

import sqlalchemy as sa

from reviewsvc.db import logs, past_keys
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
    is_past: bool = False,
) -> Place:
    """Append to the log of a task's case; `ref` is the prediction unless another is given.

    After an erasure the secrets are left out. Once the case's time `is_past` they keep no day's key of its
    prediction from going. Only label heads may be locked after this.
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
        payload=None if secrets is None else _sealed(work, head, prediction, secrets, is_past=is_past),
        retention_class=row.retention_class,
    )
    logs.save_heads(work.session, heads)
    return place


def _sealed(
    work: Work, head: Head, prediction: Entry, secrets: CaseSecrets, *, is_past: bool
) -> SealedPayload:
    key_id = bytes.fromhex(prediction.payload.key) if prediction.payload else b""
    if is_past and past_keys.is_of_day(work.session, key_id):
        clock = max(work.clock, head.last_at)
        return work.desk.keyring.seal_for_day(work.session, head.log_id, clock, write_secrets(secrets))
    return seal(work, head, prediction, secrets)


def seal(work: Work, head: Head, prediction: Entry, secrets: CaseSecrets) -> SealedPayload:
    """Seal secrets of a case with its prediction's key, or nothing at all with the log's, if that is gone."""
    session, keyring = work.session, work.desk.keyring
    try:
        return keyring.seal_for_prediction(session, prediction, write_secrets(secrets))
    except KeyGoneError:
        return keyring.seal_for_day(
            session, head.log_id, max(work.clock, head.last_at), write_secrets(ERASED)
        )
