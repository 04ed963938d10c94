"""Bundles that are asked for on screen or by API: asked, listed, and taken by who asked for them."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from reviewsvc.crypto.envelope import EnvelopeError
from reviewsvc.db import export_jobs as rows
from reviewsvc.db import installations
from reviewsvc.db.sessions import Session
from reviewsvc.domain import facts as f
from reviewsvc.domain.bundle import Question, QuestionError
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import RANDOM_BYTES, microseconds, moment, uuid7
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.auth import Current
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.export_about import said_of
from reviewsvc.usecases.export_questions import question_words
from reviewsvc.usecases.keyring import KeyGoneError, Keyring

LONGEST_PURPOSE: Final = 500


class ExportMissingError(LookupError):
    """There is no such export, or its bundle is not there to take."""


class ExportEndedError(Exception):
    """There is nothing left to cancel."""


class NotYoursError(Exception):
    """A bundle discloses what its asker may see: nobody else may take it."""


class What(Struct, frozen=True):
    """What is asked, and what for; `scopes` are those of the token by which it was asked, if by one."""

    question: Question
    purpose: str
    scopes: tuple[str, ...] | None = None


class Export(NamedTuple):
    """One of them as its reader may see it: only its asker sees the question's words and its purpose."""

    id: UUID
    kind: str
    by: str
    is_mine: bool
    words: str | None
    purpose: str | None
    asked_at: datetime
    state: str
    done: int
    wanted: int | None
    disclosed: int | None
    withheld: int | None
    size: int | None
    fault: str | None
    ended_at: datetime | None
    downloads: int
    downloaded_at: datetime | None


def ask(desk: Desk, question: Question, purpose: str, *, who: Current, at: datetime) -> UUID:
    """Ask for a bundle, which the worker makes. Raises QuestionError without a purpose."""
    purpose = purpose.strip()
    if not purpose:
        raise QuestionError("say what the bundle is for: its purpose is logged, and stands in it")
    if len(purpose) > LONGEST_PURPOSE:
        raise QuestionError(f"a purpose has up to {LONGEST_PURPOSE} characters")
    actor, told = who.actor, msgspec.json.encode(What(question, purpose, who.scopes))
    with desk.sessions.begin() as session:
        (log_id, *_) = installations.newest_logs(session, "activity")
        sealed = desk.keyring.seal_for_day(session, log_id, microseconds(at), told)
        asked = rows.Asked(
            job_id=uuid7(at, os.urandom(RANDOM_BYTES)),
            person_id=UUID(actor.id),
            actor=f"{actor.kind}:{actor.id}",
            kind=question.kind,
            key_id=bytes.fromhex(sealed.said.key),
            commitment=bytes.fromhex(sealed.said.commit),
            asked=sealed.ciphertext,
            asked_at=at,
        )
        rows.add(session, asked)
        return asked.job_id


def page(desk: Desk, before: tuple[datetime, UUID] | None, limit: int, *, reader: Actor) -> list[Export]:
    """Return exports, the newest first, before the last one of an earlier page."""
    with desk.sessions.begin() as session:
        found = rows.page(session, before, limit)
        return [_export(session, desk.keyring, row, reader) for row in found]


def get(desk: Desk, job_id: UUID, *, reader: Actor) -> Export:
    """Return one export. Raises ExportMissingError."""
    with desk.sessions.begin() as session:
        return _export(session, desk.keyring, _row(session, job_id), reader)


def take(desk: Desk, folder: Path, job_id: UUID, *, who: Current, at: datetime) -> Path:
    """Return the file of a finished bundle to its asker; who takes it and what for is logged first.

    Raises ExportMissingError, NotYoursError.
    """
    actor = who.actor
    with desk.sessions.begin() as session:
        row = _row(session, job_id)
        if row.person_id != UUID(actor.id):
            raise NotYoursError("Only who asked for a bundle may take it: ask for one of your own.")
        if row.disclosed and not who.reach("payloads.open"):
            raise NotYoursError("It discloses payloads: that needs the permission payloads.open too.")
        path = bundle_path(folder, job_id)
        if row.state != "done" or not path.is_file():
            where = (
                "" if row.state != "done" else ": REVIEWSVC_EXPORT_DIR must be one folder of web and worker"
            )
            raise ExportMissingError(f"The bundle is not here{where}. It is {row.state}.")
        asked = what_of(session, desk.keyring, row)
        model = asked.question.model if asked else None
        about = said_of(session, desk.keyring, asked.question) if asked else None
        facts = f.Export("download", model, row.done, 0, None, row.disclosed, about)
        told = Said("export", facts, secrets(purpose=asked.purpose if asked else ""))
        (place,) = record(session, desk.keyring, [told], actor=actor, at=at)
        rows.add_download(session, rows.Download(place.log_id, place.seq, job_id, UUID(actor.id), at))
    return path


def cancel(desk: Desk, job_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Stop a bundle that is not made yet, whoever asked for it; who stopped it is logged.

    The worker removes what was brought in of it. Raises ExportMissingError, ExportEndedError.
    """
    with desk.sessions.begin() as session:
        row = _row(session, job_id)
        if not rows.cancel(session, job_id, at):
            raise ExportEndedError(f"It has ended already: it is {row.state}.")
        asked = what_of(session, desk.keyring, row)
        facts = f.Export("cancelled", asked.question.model if asked else None, row.done, 0)
        told = Said("export", facts, secrets(purpose=asked.purpose if asked else ""))
        record(session, desk.keyring, [told], actor=actor, at=at)


def cursor(last: Export) -> str:
    """Return the cursor for what was asked before the last export of a page."""
    return f"{microseconds(last.asked_at)}.{last.id}"


def read_cursor(text: str) -> tuple[datetime, UUID] | None:
    """Read a cursor; None for the start. Raises ExportMissingError for what is none."""
    if not text:
        return None
    at, _, job_id = text.partition(".")
    try:
        return moment(int(at)), UUID(job_id)
    except (ValueError, OverflowError) as error:
        raise ExportMissingError("There is no such page of exports: go to the first one.") from error


def bundle_path(folder: Path, job_id: UUID) -> Path:
    """Return where the bundle of an export stands."""
    return folder / f"{job_id}.zip"


def what_of(session: Session, keyring: Keyring, row: sa.Row[Any]) -> What | None:
    """Open what was asked; None once its key is gone."""
    try:
        cipher = keyring.data_key(session, bytes(row.key_id)).cipher
        return msgspec.json.decode(cipher.open(bytes(row.asked), bytes(row.commitment)), type=What)
    except (KeyGoneError, EnvelopeError):
        return None


def _row(session: Session, job_id: UUID) -> sa.Row[Any]:
    row = rows.get(session, job_id)
    if row is None:
        raise ExportMissingError("There is no such export.")
    return row


def _export(session: Session, keyring: Keyring, row: sa.Row[Any], reader: Actor) -> Export:
    is_mine = str(row.person_id) == reader.id
    asked = what_of(session, keyring, row) if is_mine else None
    return Export(
        id=row.job_id,
        kind=row.kind,
        by=row.by,
        is_mine=is_mine,
        words=question_words(asked.question) if asked else None,
        purpose=asked.purpose if asked else None,
        asked_at=row.asked_at,
        state=row.state,
        done=row.done,
        wanted=row.wanted,
        disclosed=row.disclosed,
        withheld=row.withheld,
        size=row.size,
        fault=row.fault,
        ended_at=row.ended_at,
        downloads=row.downloads,
        downloaded_at=row.downloaded_at,
    )
