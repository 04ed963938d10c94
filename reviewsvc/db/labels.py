"""Labels: the rows of a model's label log, and which of them is in force for a prediction."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.domain.projections import LabelRow, Place

_COLUMNS: Final = (*LabelRow._fields, "decision_log_id", "decision_seq")
_INSERT: Final = (
    f"INSERT INTO label ({', '.join(_COLUMNS)}) VALUES ({', '.join(f'%({name})s' for name in _COLUMNS)})"
)
_ADD: Final = (
    "WITH standing AS (INSERT INTO label_current (model_id, id_hash, log_id, seq) "
    "VALUES (%(model_id)s, %(id_hash)s, %(log_id)s, %(seq)s) ON CONFLICT (model_id, id_hash) "
    f"DO UPDATE SET log_id = EXCLUDED.log_id, seq = EXCLUDED.seq) {_INSERT}"
)
_WITHDRAW: Final = (
    "WITH ended AS (DELETE FROM label_current WHERE model_id = %(model_id)s AND id_hash = %(id_hash)s) "
    f"{_INSERT}"
)
_CURRENT: Final = (
    "SELECT l.* FROM label_current c JOIN label l USING (log_id, seq) "
    "WHERE c.model_id = %(model_id)s AND c.id_hash = %(id_hash)s"
)


def current(session: Session, model_id: int, id_hash: bytes) -> sa.Row[Any] | None:
    """Return the row of the label in force for a prediction; the label head must be locked."""
    return run(session, _CURRENT, {"model_id": model_id, "id_hash": id_hash}).first()


def add(session: Session, row: LabelRow, decided: Place | None) -> None:
    """Keep a label or a withdrawal, with the decision's entry that it follows from."""
    values = {
        **row._asdict(),
        "decision_log_id": decided and decided.log_id,
        "decision_seq": decided and decided.seq,
    }
    run(session, _ADD if row.op == "add" else _WITHDRAW, values)


def logs_of(session: Session, model: str) -> list[sa.Row[Any]]:
    """Return a model's label logs, one per incarnation: log_id, incarnation, name, size, and what may leave.

    `leaving` is the seq, left out, up to which labels may leave: what is signed, once anything is.
    """
    leaving = sa.func.leaving_size(t.log.c.log_id).label("leaving")
    columns = (t.log.c.log_id, t.log.c.incarnation, t.log.c.name, t.head.c.size, leaving)
    return list(
        session.execute(
            sa.select(*columns)
            .join(t.head, t.head.c.log_id == t.log.c.log_id)
            .where(t.log.c.series == f"labels/{model}")
            .order_by(t.log.c.incarnation)
        )
    )


class Counts(NamedTuple):
    """A model's labels in force, those withdrawn, and when the last came (microseconds)."""

    current: int
    withdrawn: int
    last_us: int | None


def counts(session: Session, model_id: int) -> Counts:
    """Count a model's labels."""
    standing = sa.select(sa.func.count()).select_from(t.label_current)
    current = session.scalar(standing.where(t.label_current.c.model_id == model_id)) or 0
    withdrawn = sa.func.count().filter(t.label.c.op == "withdraw")
    row = session.execute(
        sa.select(withdrawn, sa.func.max(t.label.c.at)).where(t.label.c.model_id == model_id)
    ).one()
    return Counts(current, row[0], row[1])
