"""Wrapped keys: payload keys by id or by log and day, and the keys of keyed hashes."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run
from reviewsvc.db.tables import data_key, hash_key, key_sweep


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


class Sweep(NamedTuple):
    """Since when the table of keys should be written anew, when that was last done, how large it is."""

    wanted_at: dt.datetime | None
    swept_at: dt.datetime | None
    size_bytes: int


def sweep_state(session: Session) -> Sweep:
    """Return whether destroyed keys may still be in the table's file."""
    size = sa.func.pg_total_relation_size("keys.data_key")
    return Sweep(*session.execute(sa.select(key_sweep.c.wanted_at, key_sweep.c.swept_at, size)).one())


def sweep(session: Session, at: dt.datetime) -> None:
    """Write the table of keys anew, so that its file holds no destroyed key; nobody uses it meanwhile."""
    session.execute(sa.text("SET LOCAL statement_timeout = '30min'"))
    session.execute(sa.text("SELECT keys.sweep()"))
    session.execute(sa.update(key_sweep).values(swept_at=at))


_DATA_STALE = (
    "SELECT key_id, wrapped FROM keys.data_key WHERE kek_id <> %(kek_id)s AND key_id > %(after)s "
    "ORDER BY key_id LIMIT %(limit)s FOR UPDATE"
)
_DATA_ANEW = (
    "UPDATE keys.data_key k SET wrapped = n.wrapped, kek_id = n.kek_id "
    "FROM unnest(%(ids)s::bytea[], %(wrapped)s::bytea[], %(kek_ids)s::text[]) AS n (key_id, wrapped, kek_id) "
    "WHERE k.key_id = n.key_id"
)
_COUNTS = (
    "SELECT kek_id, sum(data)::bigint AS data_keys, sum(hash)::bigint AS hash_keys FROM ("
    "SELECT kek_id, count(*) AS data, 0 AS hash FROM keys.data_key GROUP BY kek_id UNION ALL "
    "SELECT kek_id, 0, count(*) FROM keys.hash_key GROUP BY kek_id) c GROUP BY kek_id ORDER BY kek_id"
)


class Wraps(NamedTuple):
    """How many keys a KEK wraps."""

    kek_id: str
    data_keys: int
    hash_keys: int


def wraps(session: Session) -> list[Wraps]:
    """Return how many keys each KEK wraps."""
    return [Wraps._make(row) for row in run(session, _COUNTS, {})]


def stale_data_keys(session: Session, kek_id: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """Lock some payload keys, after an id, that another KEK wraps: their ids, and as they are wrapped."""
    found = run(session, _DATA_STALE, {"kek_id": kek_id, "after": after, "limit": limit})
    return [(bytes(row.key_id), bytes(row.wrapped)) for row in found]


def rewrap_data_keys(session: Session, made: Sequence[WrappedDataKey]) -> None:
    """Keep payload keys, which are locked, as they are wrapped anew."""
    ids, wrapped, kek_ids = (list(column) for column in zip(*made, strict=True))
    run(session, _DATA_ANEW, {"ids": ids, "wrapped": wrapped, "kek_ids": kek_ids})


def stale_hash_keys(session: Session, kek_id: str) -> list[tuple[str, bytes]]:
    """Lock the keys of keyed hashes that another KEK wraps: their purposes, and as they are wrapped."""
    wanted = sa.select(hash_key.c.purpose, hash_key.c.wrapped).where(hash_key.c.kek_id != kek_id)
    return [(row.purpose, bytes(row.wrapped)) for row in session.execute(wanted.with_for_update())]


def rewrap_hash_key(session: Session, purpose: str, made: WrappedKey) -> None:
    """Keep a key of keyed hashes as it is wrapped anew."""
    session.execute(sa.update(hash_key).where(hash_key.c.purpose == purpose).values(made._asdict()))


def want_sweep(session: Session, at: dt.datetime) -> None:
    """Say that destroyed or older copies of keys are in the table's file."""
    session.execute(sa.update(key_sweep).values(wanted_at=at))
