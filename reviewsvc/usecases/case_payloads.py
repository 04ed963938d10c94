"""Opens the payloads of a case for an auditor, who says why; that they were opened is logged."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from reviewsvc.db import logs, tasks
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor, Entry, Ref, parse
from reviewsvc.domain.shown_inputs import ShownInput, show_inputs
from reviewsvc.domain.story_words import AUDIT_REASONS
from reviewsvc.usecases import case_log, dossiers
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.case_stories import case_row
from reviewsvc.usecases.desk import Desk, Work


class ReasonError(ValueError):
    """Why a payload is opened must be one of a few words."""


class Opened(NamedTuple):
    """What the payloads of a case hold."""

    prediction_id: str
    subject: str | None
    source: str
    predicted_at: datetime
    inputs: tuple[ShownInput, ...]
    text: str | None
    notes: tuple[tuple[str, str], ...]


def open_case(desk: Desk, log_id: int, seq: int, why: str, *, actor: Actor, at: datetime) -> Opened:
    """Open the payloads of a case for an auditor, which is logged.

    Raises ReasonError, CaseMissingError, and ErasedError once they cannot be opened any more.
    """
    if why not in AUDIT_REASONS:
        raise ReasonError(f"say why it is opened: {', '.join(AUDIT_REASONS)}")
    with desk.work(actor, at) as work:
        row = case_row(work.session, log_id, seq)
        entry = parse(logs.one(work.session, log_id, seq))
        event = dossiers.open_event(work.session, desk, entry, log_id)
        contract = desk.terms.contract(work.session, row.model, row.contract_version)
        notes = tuple(_notes(work, row))
        _log_access(work, row, entry, why)
        return Opened(
            event.prediction_id,
            event.subject,
            event.source,
            event.predicted_at,
            show_inputs(contract, event),
            event.output.text,
            notes,
        )


def _notes(work: Work, row: sa.Row[Any]) -> Iterable[tuple[str, str]]:
    if row.task_id is None:
        return
    found = tasks.decision_rows(work.session, row.task_id)
    called = tasks.names_of(work.session, {each.reviewer_id for each in found})
    for each in found:
        opened = dossiers.open_secrets(work.session, work.desk, each.log_id, each.seq)
        text = " · ".join(filter(None, (opened.text, opened.note))) if opened else ""
        if text:
            yield called.get(each.reviewer_id, "somebody"), text


def _log_access(work: Work, row: sa.Row[Any], entry: Entry, why: str) -> None:
    access = f.Access(why=why, task=str(row.task_id) if row.task_id else None)
    if row.task_id is not None:
        task = tasks.get(work.session, row.task_id)
        if task is not None:
            case_log.write(work, task, entry, "access", access)
            return
    said = Said("access", access, about=row.model, ref=Ref(row.log, entry.seq))
    record(work.session, work.desk.keyring, [said], actor=work.actor, at=work.at)
