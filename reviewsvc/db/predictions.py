"""Predictions and events that could not be read, found by keyed hash or in the order of their arrival."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t


def find(session: Session, model: str, place: int) -> list[sa.Row[Any]]:
    """Return a model's predictions with this keyed hash of their id, in the order of their arrival.

    With each the name of its log, as `log`, and the topic that it came from.
    """
    query = (
        sa.select(t.prediction, t.log.c.name.label("log"), t.log.c.topic)
        .join(t.model, t.model.c.model_id == t.prediction.c.model_id)
        .join(t.log, t.log.c.log_id == t.prediction.c.log_id)
        .where(t.prediction.c.find == place, t.model.c.name == model)
        .order_by(t.prediction.c.at, t.prediction.c.log_id, t.prediction.c.seq)
    )
    return list(session.execute(query))


def quarantined(
    session: Session, before: tuple[int, int, int] | None, limit: int, *, topic: str | None = None
) -> list[sa.Row[Any]]:
    """Return events that could not be read, the newest first, before (at, log_id, seq) if that is given.

    With each the name of its log, as `log`, and its entry's bytes, as `body`.
    """
    order = (t.quarantine.c.at, t.quarantine.c.log_id, t.quarantine.c.seq)
    at_place = (t.entry.c.log_id == t.quarantine.c.log_id, t.entry.c.seq == t.quarantine.c.seq)
    query = (
        sa.select(t.quarantine, t.log.c.name.label("log"), t.entry.c.body)
        .join(t.log, t.log.c.log_id == t.quarantine.c.log_id)
        .join(t.entry, sa.and_(*at_place))
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    if before is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
    if topic is not None:
        query = query.where(t.log.c.topic == topic)
    return list(session.execute(query))


def topics(session: Session) -> list[str]:
    """Return the topics that were captured."""
    named = sa.select(t.log.c.topic).where(t.log.c.topic.is_not(None)).distinct().order_by(t.log.c.topic)
    return [str(topic) for topic in session.scalars(named)]
