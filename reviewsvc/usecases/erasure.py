"""Erases a subject: the journal's line, the key, what tables said, open tasks, labels, and the entry."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from reviewsvc.db import erasures, generation, holds, installations, logs, subjects, wishes
from reviewsvc.db.sessions import Session
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.projections import Place
from reviewsvc.domain.review import UNFINISHED
from reviewsvc.domain.subject_rows import ErasedKeyRow
from reviewsvc.outside.erasure_journal import ErasureJournal, Line
from reviewsvc.usecases import dossiers, labelling, withdrawing
from reviewsvc.usecases.activity import chosen_shard
from reviewsvc.usecases.desk import Desk, Work
from reviewsvc.usecases.subjects import HeldError


class Erased(NamedTuple):
    """What an erasure covered: predictions, tasks closed, labels taken back, receivers to be told."""

    erasure_id: UUID
    predictions: int
    tasks: int
    labels: int
    left: int


def step(desk: Desk, journal: ErasureJournal, *, at: datetime) -> int:
    """Carry out the erasures that are agreed to; one under legal hold waits. Return how many were done."""
    with desk.sessions.begin() as session:
        free = [one for one in wishes.approved(session, wishes.ERASE) if not _is_held(session, one)]
    return len([one for one in free if run(desk, journal, one, at=at)])


def run(desk: Desk, journal: ErasureJournal, erasure_id: UUID, *, at: datetime) -> Erased | None:
    """Carry out an erasure that is agreed to; None if somebody else did, or it is not agreed to.

    Raises HeldError while a legal hold stands, JournalError if the journal cannot be written: then nothing
    was erased.
    """
    with desk.sessions.begin() as session:
        # Alone from here on: no batch is built, no payload sealed with the key that goes.
        generation.bump(session)
        row = wishes.lock(session, erasure_id)
        if row is None or row.act != wishes.ERASE or row.status != wishes.APPROVED:
            return None
        key_id = bytes(row.key_id)
        if holds.on_subject(session, key_id):
            raise HeldError("A legal hold stands against this erasure: it must be released first.")
        actor = Actor(*(row.settled_by or row.requested_by).split(":", 1))
        ref = Ref(logs.names(session, [row.log_id])[row.log_id], row.seq)
        work = Work(session, desk, actor, at)
        done = _erase(work, erasure_id, key_id, ref=ref)
        wishes.save(session, erasure_id, status=wishes.DONE, done_at=at)
        # The key goes with the commit that follows. If this process ends between the line and the commit,
        # the wish stands and is carried out again; the journal names the key twice then, which is the same.
        journal.append(str(erasure_id), [key_id.hex()], work.clock)
        return done


def replay(desk: Desk, lines: Iterable[Line], *, actor: Actor, at: datetime) -> list[Erased]:
    """Erase again what the journal names and a restored database still has the key of; return what was done.

    Said again it does nothing. Holds do not count: whatever stands in the journal was free of them.
    """
    found = [_replay_key(desk, line, bytes.fromhex(key), actor, at) for line in lines for key in line.keys]
    return [one for one in found if one is not None]


def _replay_key(desk: Desk, line: Line, key_id: bytes, actor: Actor, at: datetime) -> Erased | None:
    with desk.sessions.begin() as session:
        if not subjects.has_key(session, key_id):
            return None
    with desk.sessions.begin() as session:
        generation.bump(session)
        if not subjects.has_key(session, key_id):
            return None
        return _erase(Work(session, desk, actor, at), UUID(line.erasure), key_id, ref=None)


def _is_held(session: Session, erasure_id: UUID) -> bool:
    row = wishes.get(session, erasure_id)
    return row is None or bool(holds.on_subject(session, bytes(row.key_id)))


def _erase(work: Work, erasure_id: UUID, key_id: bytes, *, ref: Ref | None) -> Erased:
    session = work.session
    kept = subjects.kept(session, key_id)
    left = subjects.left(session, key_id, kept)
    locked = [dossiers.lock(session, row.task_id) for row in kept.tasks if row.status in UNFINISHED]
    labels = subjects.standing_labels(session, kept.id_hashes)
    subjects.empty(session, key_id)
    subjects.destroy_key(session, key_id, work.at)
    done = Erased(erasure_id, len(kept.predictions), len(locked), len(labels), len(left))
    place, log = _log(work, key_id, done, [row.activity_log_id for row, _ in locked], ref)
    for row, task in locked:
        withdrawing.withdraw(work, row, task)
    labelling.withdraw_erased(work, labels, place, log)
    erasures.add_erased(session, ErasedKeyRow(place.log_id, place.seq, key_id))
    if ref is None:
        wishes.add_replayed(session, erasure_id, key_id, place, work.at)
    erasures.add_left(session, erasure_id, left)
    return done


def _log(
    work: Work, key_id: bytes, done: Erased, log_ids: Collection[int], ref: Ref | None
) -> tuple[Place, str]:
    """Append the erasure's entry; every head that is written to is locked here, at once."""
    shards = installations.newest_logs(work.session, "activity")
    shard = chosen_shard(shards, key_id.hex())
    heads = logs.lock_heads(work.session, {shard, *log_ids})
    head = heads[shard]
    said = sf.Erasure(
        erasure=str(done.erasure_id),
        subject=key_id.hex(),
        predictions=done.predictions,
        tasks=done.tasks,
        labels=done.labels,
        left=done.left,
        replayed=ref is None,
    )
    place = logs.append(work.session, head, "erasure", said, clock=work.clock, actor=work.actor, ref=ref)
    logs.save_heads(work.session, heads)
    return place, head.name
