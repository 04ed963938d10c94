"""Anchors: what they answered, and how far each configured one is."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.domain.projections import AnchorRow, CosignatureRow


class Anchoring(NamedTuple):
    """A configured anchor: where it is, and what became of it; times in microseconds."""

    name: str
    kind: str
    place: str
    every_s: int
    vkey: str | None
    log_id: int | None
    size: int
    kept_at: int | None
    tried_at: int | None
    failures: int
    told_at: int | None
    outcome: str | None
    why: str | None


class SignedRoot(NamedTuple):
    """A signed checkpoint of the root log."""

    log_id: int
    size: int
    root: bytes
    note: str
    at: int


def configured(session: Session) -> list[Anchoring]:
    """Return the anchors that the worker knows, by name."""
    columns = [t.anchoring.c[name] for name in Anchoring._fields]
    return [Anchoring(*row) for row in session.execute(sa.select(*columns).order_by(t.anchoring.c.name))]


def configure(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keep these anchors (name, kind, place, every_s, vkey) and what is known of them; forget all others."""
    names = [row["name"] for row in rows]
    session.execute(sa.delete(t.anchoring).where(t.anchoring.c.name.not_in(names)))
    for row in rows:
        made = insert(t.anchoring).values(size=0, failures=0, **row)
        session.execute(made.on_conflict_do_update(index_elements=["name"], set_=row))


def note(session: Session, name: str, **values: object) -> None:
    """Note what became of an anchor."""
    session.execute(sa.update(t.anchoring).where(t.anchoring.c.name == name).values(values))


def add(session: Session, row: AnchorRow, cosigned: CosignatureRow | None, evidence: bytes | None) -> None:
    """Keep what an entry said of an anchor, with the answer of a time-stamp authority."""
    session.execute(sa.insert(t.anchor).values(row._asdict()))
    if cosigned is not None:
        session.execute(sa.insert(t.cosignature).values(cosigned._asdict()))
    if evidence is not None:
        made = insert(t.time_stamp).values(sha256=row.evidence, answer=evidence)
        session.execute(made.on_conflict_do_nothing())


def newest_root(session: Session, log_id: int) -> SignedRoot | None:
    """Return the largest signed checkpoint of a root log."""
    return _first(session, _signed(log_id).order_by(t.checkpoint.c.size.desc()))


def first_behind(session: Session, log_id: int, size: int) -> SignedRoot | None:
    """Return a root log's first checkpoint that is larger than a size."""
    return _first(session, _signed(log_id).where(t.checkpoint.c.size > size).order_by(t.checkpoint.c.size))


def cosigners(session: Session, log_id: int, vkeys: Collection[str]) -> dict[int, set[str]]:
    """Return which of these witnesses cosigned, by the sizes of the newest thousand cosignatures."""
    c = t.cosignature.c
    newest = (
        sa.select(c.size, c.vkey)
        .where(c.root_log_id == log_id, c.vkey.in_(vkeys))
        .order_by(c.size.desc())
        .limit(1_000)
    )
    found: dict[int, set[str]] = {}
    for size, vkey in session.execute(newest):
        found.setdefault(size, set()).add(vkey)
    return found


def _signed(log_id: int) -> sa.Select[Any]:
    columns = [t.checkpoint.c[name] for name in SignedRoot._fields]
    return sa.select(*columns).where(t.checkpoint.c.log_id == log_id)


def _first(session: Session, query: sa.Select[Any]) -> SignedRoot | None:
    row = session.execute(query.limit(1)).first()
    return None if row is None else SignedRoot(row.log_id, row.size, bytes(row.root), row.note, row.at)
