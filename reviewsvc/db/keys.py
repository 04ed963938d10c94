"""Wrapped keys: payload keys by id or by log and day, and the keys of keyed hashes."""

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run
from reviewsvc.db.tables import data_key, hash_key


class WrappedKey(NamedTuple):
    """A key as it is stored, and the id of the KEK that unwraps it."""

    wrapped: bytes
    kek_id: str


class WrappedDataKey(NamedTuple):
    """A payload key as it is stored."""

    key_id: bytes
    wrapped: bytes
    kek_id: str


_BY_ID = "SELECT key_id, wrapped, kek_id FROM keys.data_key WHERE key_id = %(key_id)s"
_DATA = (data_key.c.key_id, data_key.c.wrapped, data_key.c.kek_id)


def by_id(session: Session, key_id: bytes) -> WrappedDataKey | None:
    """Return a payload key; None once it is destroyed."""
    row = run(session, _BY_ID, {"key_id": key_id}).first()
    return WrappedDataKey._make(row) if row else None


def of_day(session: Session, log_id: int, day: dt.date) -> WrappedDataKey | None:
    """Return a log's key of a day (UTC), if it has been made."""
    wanted = (data_key.c.log_id == log_id, data_key.c.day == day)
    row = session.execute(sa.select(*_DATA).where(*wanted)).first()
    return WrappedDataKey(*row) if row else None


def add_of_day(session: Session, made: WrappedDataKey, log_id: int, day: dt.date) -> None:
    """Keep a new key of a log's day, unless another process was first: read it again afterwards."""
    session.execute(
        insert(data_key).values(**made._asdict(), log_id=log_id, day=day).on_conflict_do_nothing()
    )


def of_purpose(session: Session, purpose: str) -> WrappedKey | None:
    """Return the key of the keyed hashes of a purpose."""
    wanted = hash_key.c.purpose == purpose
    row = session.execute(sa.select(hash_key.c.wrapped, hash_key.c.kek_id).where(wanted)).first()
    return WrappedKey(*row) if row else None


def add_of_purpose(session: Session, purpose: str, made: WrappedKey) -> None:
    """Keep the key of the keyed hashes of a purpose, which is made once."""
    session.execute(sa.insert(hash_key).values(purpose=purpose, **made._asdict()))
