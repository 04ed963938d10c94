"""People, the roles that they hold, and their tokens."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run
from reviewsvc.db.tables import grant_held, person, token
from reviewsvc.db.tables import session as sessions
from reviewsvc.domain.permissions import Grant


class Person(NamedTuple):
    """A person as the table has them."""

    person_id: UUID
    name: str
    login: str
    password_hash: str | None
    disabled_at: datetime | None
    created_at: datetime
    theme: str
    single_keys: bool
    time_zone: str


class Token(NamedTuple):
    """A token of a person; the token itself is kept only as its hash."""

    token_id: UUID
    person_id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


_MOST_NAMES = 50
_PERSON = [person.c[name] for name in Person._fields]
_TOKEN = [token.c[name] for name in Token._fields]

# What every request asks.
_BY_ID: Final = f"SELECT {', '.join(Person._fields)} FROM person WHERE person_id = %(person_id)s"
_GRANTS: Final = "SELECT * FROM grant_held WHERE person_id = ANY(%(person_ids)s) ORDER BY role, scope"
_TOKEN_BY_HASH: Final = f"SELECT {', '.join(Token._fields)} FROM token WHERE token_hash = %(token_hash)s"


def add(session: Session, **columns: Any) -> bool:  # noqa: ANN401 - each column has its own type
    """Add a person; False if the login is taken."""
    made = insert(person).values(**columns).on_conflict_do_nothing(index_elements=["login"])
    return session.execute(made.returning(person.c.person_id)).first() is not None


def update(session: Session, person_id: UUID, **columns: Any) -> None:  # noqa: ANN401 - each column has its own type
    """Change some of a person's columns."""
    session.execute(sa.update(person).where(person.c.person_id == person_id).values(**columns))


def by_id(session: Session, person_id: UUID, *, lock: bool = False) -> Person | None:
    """Return a person, locked until the transaction ends if asked."""
    row = run(session, _BY_ID + (" FOR UPDATE" if lock else ""), {"person_id": person_id}).first()
    return Person._make(row) if row else None


def by_login(session: Session, login: str, *, lock: bool = False) -> Person | None:
    """Return the person with this login, locked until the transaction ends if asked."""
    wanted = sa.select(*_PERSON).where(person.c.login == login)
    row = session.execute(wanted.with_for_update() if lock else wanted).first()
    return Person(*row) if row else None


def page(session: Session, after_login: str, limit: int) -> list[Person]:
    """Return up to `limit` people in the order of their logins, after one of them."""
    wanted = sa.select(*_PERSON).where(person.c.login > after_login).order_by(person.c.login).limit(limit)
    return [Person(*row) for row in session.execute(wanted)]


def grants(session: Session, person_ids: list[UUID]) -> dict[UUID, list[Grant]]:
    """Return the roles that these people hold."""
    held: dict[UUID, list[Grant]] = {person_id: [] for person_id in person_ids}
    for row in run(session, _GRANTS, {"person_ids": person_ids}):
        held[row.person_id].append(Grant(row.role, row.scope))
    return held


def add_grant(session: Session, person_id: UUID, grant: Grant) -> bool:
    """Give a role; False if the person holds it already."""
    made = insert(grant_held).values(person_id=person_id, **grant._asdict()).on_conflict_do_nothing()
    return session.execute(made.returning(grant_held.c.role)).first() is not None


def remove_grant(session: Session, person_id: UUID, grant: Grant) -> bool:
    """Take a role away; False if the person does not hold it."""
    held = (grant_held.c.role == grant.role, grant_held.c.scope == grant.scope)
    taken = sa.delete(grant_held).where(grant_held.c.person_id == person_id, *held)
    return session.execute(taken.returning(grant_held.c.role)).first() is not None


def add_token(session: Session, made: Token, token_hash: bytes) -> None:
    """Keep a new token by its hash."""
    columns = {**made._asdict(), "scopes": list(made.scopes), "token_hash": token_hash}
    session.execute(sa.insert(token).values(columns))


def token_by_hash(session: Session, token_hash: bytes) -> Token | None:
    """Return the token with this hash, whether it still counts or not."""
    row = run(session, _TOKEN_BY_HASH, {"token_hash": token_hash}).first()
    return _token(row) if row else None


def tokens(session: Session, person_id: UUID) -> list[Token]:
    """Return a person's tokens, the newest first."""
    wanted = sa.select(*_TOKEN).where(token.c.person_id == person_id).order_by(token.c.created_at.desc())
    return [_token(row) for row in session.execute(wanted)]


def end_token(session: Session, token_id: UUID, at: datetime) -> UUID | None:
    """End a token that had not ended, and return whose it was."""
    ended = (
        sa.update(token).where(token.c.token_id == token_id, token.c.ended_at.is_(None)).values(ended_at=at)
    )
    row = session.execute(ended.returning(token.c.person_id)).first()
    return row.person_id if row else None


def _token(row: sa.Row[Any]) -> Token:
    return Token._make(row)._replace(scopes=tuple(row.scopes))


def ids_called(session: Session, part: str) -> list[UUID]:
    """Return the people whose name or login holds a part, whatever its case."""
    wanted = sa.select(person.c.person_id).where(
        sa.or_(
            person.c.name.icontains(part, autoescape=True), person.c.login.icontains(part, autoescape=True)
        )
    )
    return list(session.scalars(wanted.limit(_MOST_NAMES)))


def last_seen(session: Session, person_ids: list[UUID]) -> dict[UUID, datetime]:
    """Return when these people were last here, as far as sessions are kept."""
    latest = sa.select(sessions.c.person_id, sa.func.max(sessions.c.seen_at))
    found = session.execute(latest.where(sessions.c.person_id.in_(person_ids)).group_by(sessions.c.person_id))
    return {row[0]: row[1] for row in found}
