"""Erases a subject: the journal's line, the key, what tables said, open tasks, labels, and the entry."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from reviewsvc.db import approvals, erasures, generation, holds, installations, logs, subjects
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.projections import Place
from reviewsvc.domain.review import UNFINISHED
from reviewsvc.domain.subject_rows import ErasedKeyRow
from reviewsvc.outside.erasure_journal import ErasureJournal, JournalError, Line
from reviewsvc.usecases import dossiers, labelling, receivers, withdrawing
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
        free = [one for one in approvals.approved(session, approvals.ERASE) if not _is_held(session, one)]
    return len([one for one in free if run(desk, journal, one, at=at)])


def run(desk: Desk, journal: ErasureJournal, erasure_id: UUID, *, at: datetime) -> Erased | None:
    """Carry out an erasure that is agreed to; None if somebody else did, or it is not agreed to.

    Raises HeldError while a legal hold stands, JournalError if the journal cannot be written: then nothing
    was erased.
    """
    with desk.sessions.begin() as session:
        # Alone from here on: no batch is built, no payload sealed with the key that goes.
        generation.bump(session)
        _check_there(session, journal)
        row = approvals.lock(session, erasure_id)
        if row is None or row.act != approvals.ERASE or row.status != approvals.APPROVED:
            return None
        key_id = bytes(row.key_id)
        if holds.on_subject(session, key_id):
            raise HeldError("A legal hold stands against this erasure: it must be released first.")
        actor = Actor(*(row.settled_by or row.requested_by).split(":", 1))
        ref = Ref(logs.names(session, [row.log_id])[row.log_id], row.seq)
        work = Work(session, desk, actor, at)
        done = _erase(work, erasure_id, key_id, ref=ref)
        approvals.save(session, erasure_id, status=approvals.DONE, done_at=at)
        # The key goes with the commit that follows. If this process ends between the line and the commit,
        # what was asked for stands and is carried out again; the journal then names the key twice, which is
        # the same.
        journal.append(str(erasure_id), [key_id.hex()], work.clock)
        return done


def replay(desk: Desk, lines: Iterable[Line], *, actor: Actor, at: datetime) -> list[Erased]:
    """Erase again what the journal names and a restored database still has the key of; return what was done.

    Said again it does nothing. A hold that was placed before a line does not count, since the line's writer
    looked; one placed after it does: that writer was stopped before the key went, and the hold came first.
    """
    found = [_replay_key(desk, line, bytes.fromhex(key), actor, at) for line in lines for key in line.keys]
    return [one for one in found if one is not None]


def _replay_key(desk: Desk, line: Line, key_id: bytes, actor: Actor, at: datetime) -> Erased | None:
    with desk.sessions.begin() as session:
        if not subjects.has_key(session, key_id):
            return None
    with desk.sessions.begin() as session:
        generation.bump(session)
        if not subjects.has_key(session, key_id) or holds.placed_since(session, key_id, line.at):
            return None
        return _erase(Work(session, desk, actor, at), UUID(line.erasure), key_id, ref=None)


def lines_of(sessions: Sessions, journal: ErasureJournal, *, may_lack: bool = False) -> list[Line]:
    """Read a journal, held against what a restored database knows of erasures.

    Raises JournalError if it lacks some: an older copy, or another's, leaves keys that it should destroy.
    """
    lines = journal.read()
    named = {bytes.fromhex(key) for line in lines for key in line.keys}
    with sessions.begin() as session:
        lacking = erasures.erased_keys(session) - named
    if lacking and not may_lack:
        raise JournalError(
            f"the erasure journal {journal.path} names {len(named)} keys and lacks {len(lacking)} that this "
            "database knows to be destroyed: it is not the newest copy, or another's. Put that in its place; "
            "if it is lost, --journal-lost goes on without it, and what was erased since is there again"
        )
    return lines


def _check_there(session: Session, journal: ErasureJournal) -> None:
    """A journal that went missing must not begin anew unseen: a restore would bring back what it named."""
    if journal.path.exists():
        return
    count = len(erasures.erased_keys(session))
    if count:
        raise JournalError(
            f"the erasure journal {journal.path} is missing, and {count} keys were destroyed before, so "
            "nothing is erased: put its newest copy back; if it is lost for good, make an empty file there"
        )


def _is_held(session: Session, erasure_id: UUID) -> bool:
    row = approvals.get(session, erasure_id)
    return row is None or bool(holds.on_subject(session, bytes(row.key_id)))


def _erase(work: Work, erasure_id: UUID, key_id: bytes, *, ref: Ref | None) -> Erased:
    session = work.session
    kept = subjects.kept(session, key_id)
    left = receivers.left(session, key_id, kept)
    locked = [dossiers.lock(session, row.task_id) for row in kept.tasks if row.status in UNFINISHED]
    labels = subjects.standing_labels(session, kept.id_hashes)
    subjects.empty(session, key_id)
    subjects.destroy_keys(session, [key_id], work.at)
    done = Erased(erasure_id, len(kept.predictions), len(locked), len(labels), len(left))
    place, log = _log(work, key_id, done, [row.activity_log_id for row, _ in locked], ref)
    for row, task in locked:
        withdrawing.withdraw(work, row, task)
    labelling.withdraw_erased(work, labels, place, log)
    erasures.add_erased(session, ErasedKeyRow(place.log_id, place.seq, key_id))
    if ref is None:
        approvals.add_replayed(session, erasure_id, key_id, place, work.at)
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
