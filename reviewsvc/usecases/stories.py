"""What has happened with a case and its subject, and what people noted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from reviewsvc.db import tasks
from reviewsvc.domain.contract import Contract
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.facts import TaskMoved
from reviewsvc.domain.moments import moment
from reviewsvc.domain.review import Status
from reviewsvc.domain.shares import percent
from reviewsvc.domain.showing import answer_words
from reviewsvc.domain.story_words import move_words
from reviewsvc.usecases import dossiers
from reviewsvc.usecases.desk import Work

_OTHERS: Final = 10


class Happening(Struct, frozen=True):
    """Something that happened with a case, or with its subject elsewhere; `by` names a person."""

    at: datetime
    words: str
    by: str | None = None


class Note(Struct, frozen=True):
    """What somebody wrote about a case."""

    at: datetime
    by: str
    text: str


class Story(NamedTuple):
    """All of it, the oldest first."""

    happenings: tuple[Happening, ...]
    notes: tuple[Note, ...]


class _Told(NamedTuple):
    happening: Happening
    note: str | None = None


def tell(work: Work, row: sa.Row[Any], *, hides_answers: bool) -> Story:
    """Tell a case's story; with `hides_answers` what others answered, and noted with it, is left out."""
    contract = work.desk.terms.contract(work.session, row.model, row.contract_version)
    told = [_Told(Happening(row.created_at, f"Came to the queue {row.queue}"))]
    told += _moves(work, row)
    if not hides_answers:
        told += _answers(work, row, contract)
    told += [_Told(_elsewhere(other, contract)) for other in tasks.same_subject(work.session, row, _OTHERS)]
    told.sort(key=lambda one: one.happening.at)
    notes = [Note(one.happening.at, one.happening.by or "", one.note) for one in told if one.note]
    return Story(tuple(one.happening for one in told), tuple(notes))


def _answers(work: Work, row: sa.Row[Any], contract: Contract) -> Iterable[_Told]:
    found = tasks.decision_rows(work.session, row.task_id)
    names = tasks.names_of(work.session, {one.reviewer_id for one in found})
    for one in found:
        opened = dossiers.open_secrets(work.session, work.desk, one.log_id, one.seq)
        answer = answer_words(contract, one.label, one.value) or (opened.text if opened else None) or "erased"
        verb = "Adjudicated" if one.kind == "adjudication" else "Answered"
        taken_back = ", taken back later" if one.retracted_seq is not None else ""
        words = f"{verb}: {answer}{taken_back}"
        happening = Happening(moment(one.at), words, names.get(one.reviewer_id))
        yield _Told(happening, opened.note if opened else None)


def _moves(work: Work, row: sa.Row[Any]) -> Iterable[_Told]:
    entries = [(one.log_id, parse(bytes(one.body))) for one in tasks.moves(work.session, row.task_id)]
    people = {UUID(entry.actor.id) for _, entry in entries if _is_person(entry) and entry.actor}
    names = tasks.names_of(work.session, people)
    for log_id, entry in entries:
        said = msgspec.json.decode(entry.facts, type=TaskMoved)
        words = move_words(said)
        by = names.get(UUID(entry.actor.id)) if entry.actor and _is_person(entry) else None
        opened = dossiers.open_secrets(work.session, work.desk, log_id, entry.seq) if entry.payload else None
        yield _Told(Happening(moment(entry.at), words, by), opened.note if opened else None)


def _elsewhere(other: sa.Row[Any], contract: Contract) -> Happening:
    if other.blind and other.status in (Status.PENDING, Status.DISPUTED):
        return Happening(moment(other.predicted_at), f"Same subject: {other.model}, {other.status}")
    said = answer_words(contract, other.label, other.value) or "no answer"
    sure = "" if other.confidence is None else f", {percent(other.confidence)} sure"
    words = f"Same subject: {other.model} said {said}{sure}"
    answer = answer_words(contract, other.answer_label, other.answer_value)
    if answer is not None:
        words += f"; decided: {answer}"
    elif other.status is not None:
        words += f"; {other.status}"
    return Happening(moment(other.predicted_at), words)


def _is_person(entry: Entry) -> bool:
    return entry.actor is not None and entry.actor.kind in ("person", "token")
