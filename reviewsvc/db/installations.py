"""The one row that says what this database is, and the months for which it can hold payloads."""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from reviewsvc.db.hot.guards import PRESENT
from reviewsvc.db.tables import installation, log

_LOCK: Final = (7203, 3)


def lock(session: Session) -> None:
    """Let one process at a time open the installation, until the transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(*_LOCK)))


def get(session: Session) -> sa.Row[Any] | None:
    """Return the installation's row, or None before the first start."""
    return session.execute(sa.select(installation)).first()


def add(session: Session, *, origin: str, opened_at: dt.datetime, activity_logs: int) -> None:
    """Write the installation's row, with the identity of the cluster that it lives in."""
    system_id, timeline = session.execute(sa.text(PRESENT)).one()
    session.execute(
        sa.insert(installation).values(
            one=True,
            origin=origin,
            opened_at=opened_at,
            system_id=system_id,
            timeline=timeline,
            activity_logs=activity_logs,
        )
    )


def newest_logs(session: Session, kind: str) -> list[int]:
    """Return the ids of the newest incarnations of this kind's logs, by shard."""
    newest = (
        sa.select(log.c.log_id, log.c.shard)
        .ext(distinct_on(log.c.series))
        .where(log.c.kind == kind)
        .order_by(log.c.series, log.c.incarnation.desc())
        .subquery()
    )
    return list(session.scalars(sa.select(newest.c.log_id).order_by(newest.c.shard)))


def ensure_months(session: Session, at: dt.datetime) -> int:
    """Make the partitions of this month and the next for every retention class; return how many lacked.

    Those too of later months that a log has come to by a clock that ran ahead, since its entries go on from
    there. A role that may not make them makes none.
    """
    lacking = session.execute(
        sa.text(
            "SELECT c.retention_class, m.month FROM retention_class c"
            " CROSS JOIN (SELECT (date_trunc('month', CAST(:at AS timestamptz))"
            " + n * interval '1 month')::date AS month FROM generate_series(0, 1) n"
            " UNION SELECT date_trunc('month', to_timestamp(last_at / 1000000))::date FROM head"
            " WHERE last_at > extract(epoch FROM CAST(:at AS timestamptz)) * 1000000) m"
            " WHERE has_function_privilege('ensure_partitions(smallint, date)', 'EXECUTE')"
            " AND (to_regclass(format('prediction_c%s_%s', c.retention_class, to_char(m.month, 'YYYYMM')))"
            " IS NULL OR"
            " to_regclass(format('payload_c%s_%s', c.retention_class, to_char(m.month, 'YYYYMM'))) IS NULL)"
            " ORDER BY 1, 2"
        ),
        {"at": at},
    ).all()
    for retention_class, month in lacking:
        made = sa.func.ensure_partitions(sa.cast(retention_class, sa.SmallInteger), month)
        session.execute(sa.select(made))
    return len(lacking)
