"""What keeps the door: sessions of people, failed log-ins, refusals, answers to repeated calls."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run
from reviewsvc.db.tables import idempotency, login_failure, refusal_count, session


class PersonSession(NamedTuple):
    """A person's session; its id is kept only as SHA-256."""

    session_hash: bytes
    person_id: UUID
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None


class Answer(NamedTuple):
    """What a call was answered, to be said again when it is repeated."""

    status: int
    body: bytes


_SESSION = [session.c[name] for name in PersonSession._fields]
_BY_HASH = f"SELECT {', '.join(PersonSession._fields)} FROM session WHERE session_hash = %(session_hash)s"


def add_session(transaction: Session, made: PersonSession) -> None:
    """Keep a new session."""
    transaction.execute(sa.insert(session).values(made._asdict()))


def session_by_hash(transaction: Session, session_hash: bytes) -> PersonSession | None:
    """Return a session, whether it still counts or not."""
    row = run(transaction, _BY_HASH, {"session_hash": session_hash}).first()
    return PersonSession._make(row) if row else None


def touch_session(transaction: Session, session_hash: bytes, at: datetime) -> None:
    """Note that a session was used."""
    here = session.c.session_hash == session_hash
    transaction.execute(sa.update(session).where(here, session.c.seen_at < at).values(seen_at=at))


def sessions_of(transaction: Session, person_id: UUID, seen_after: datetime) -> list[PersonSession]:
    """Return a person's sessions that have not ended and were used lately, the last used first."""
    counting = (
        session.c.person_id == person_id,
        session.c.ended_at.is_(None),
        session.c.seen_at > seen_after,
    )
    wanted = sa.select(*_SESSION).where(*counting).order_by(session.c.seen_at.desc())
    return [PersonSession(*row) for row in transaction.execute(wanted)]


def end_session(transaction: Session, session_hash: bytes, at: datetime) -> UUID | None:
    """End a session that had not ended, and return whose it was."""
    open_one = (session.c.session_hash == session_hash, session.c.ended_at.is_(None))
    ended = sa.update(session).where(*open_one).values(ended_at=at)
    row = transaction.execute(ended.returning(session.c.person_id)).first()
    return row.person_id if row else None


def end_sessions_of(
    transaction: Session, person_id: UUID, at: datetime, *, spare: bytes | None = None
) -> int:
    """End all of a person's sessions but the one to spare, and return how many there were."""
    open_ones = [session.c.person_id == person_id, session.c.ended_at.is_(None)]
    if spare is not None:
        open_ones.append(session.c.session_hash != spare)
    ended = sa.update(session).where(*open_ones).values(ended_at=at).returning(session.c.session_hash)
    return len(transaction.execute(ended).all())


def lock_login(transaction: Session, login_hash: bytes) -> None:
    """Let one attempt at a time be counted for a login, until the transaction ends."""
    key = int.from_bytes(login_hash[:8], signed=True)
    transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.cast(key, sa.BigInteger))))


def failures(transaction: Session, login_hash: bytes, since: datetime) -> int:
    """Count the failed log-ins of a login since a moment."""
    recent = (login_failure.c.login_hash == login_hash, login_failure.c.at > since)
    return transaction.scalars(sa.select(sa.func.count()).select_from(login_failure).where(*recent)).one()


def add_failure(transaction: Session, login_hash: bytes, at: datetime) -> None:
    """Count one failed log-in."""
    transaction.execute(sa.insert(login_failure).values(login_hash=login_hash, at=at))


def forget_failures(transaction: Session, login_hash: bytes) -> None:
    """Forget a login's failures: the right password was given."""
    transaction.execute(sa.delete(login_failure).where(login_failure.c.login_hash == login_hash))


def count_refusal(transaction: Session, minute: datetime, reason: str) -> None:
    """Count one refusal of this reason within this minute."""
    first = insert(refusal_count).values(minute=minute, reason=reason, count=1)
    counted = first.on_conflict_do_update(
        index_elements=["minute", "reason"], set_={"count": refusal_count.c.count + 1}
    )
    transaction.execute(counted)


def take_refusals(transaction: Session, before: datetime) -> Mapping[datetime, Mapping[str, int]]:
    """Remove and return the counts of all minutes before a moment, by minute and reason."""
    taken: dict[datetime, dict[str, int]] = {}
    removed = sa.delete(refusal_count).where(refusal_count.c.minute < before).returning(refusal_count)
    for row in sorted(transaction.execute(removed), key=lambda row: (row.minute, row.reason)):
        taken.setdefault(row.minute, {})[row.reason] = row._mapping["count"]  # noqa: SLF001 - documented; `row.count` is the tuple's method
    return taken


def answer_to(transaction: Session, key_hash: bytes) -> Answer | None:
    """Return what a call with this key was answered."""
    wanted = sa.select(idempotency.c.status, idempotency.c.body).where(idempotency.c.key_hash == key_hash)
    row = transaction.execute(wanted).first()
    return Answer(row.status, bytes(row.body)) if row else None


def keep_answer(transaction: Session, key_hash: bytes, answer: Answer, at: datetime) -> bool:
    """Keep what a call was answered; the first answer stays, and False says that there was one."""
    kept = insert(idempotency).values(key_hash=key_hash, created_at=at, **answer._asdict())
    made = kept.on_conflict_do_nothing().returning(sa.literal(1))
    return transaction.execute(made).first() is not None


def drop_answer(transaction: Session, key_hash: bytes, *, status: int, before: datetime | None) -> None:
    """Forget an answer of this status, kept before a moment if one is given."""
    unwanted = [idempotency.c.key_hash == key_hash, idempotency.c.status == status]
    if before is not None:
        unwanted.append(idempotency.c.created_at < before)
    transaction.execute(sa.delete(idempotency).where(*unwanted))


def sweep(transaction: Session, at: datetime, keep: timedelta) -> int:
    """Delete what has not counted for a while; return how many rows went."""
    before = at - keep
    stale = (
        sa.delete(session).where(session.c.seen_at < before),
        sa.delete(login_failure).where(login_failure.c.at < before),
        sa.delete(idempotency).where(idempotency.c.created_at < before),
    )
    return sum(len(transaction.execute(each.returning(sa.literal(1))).all()) for each in stale)
