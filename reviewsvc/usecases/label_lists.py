"""A model's labels as a list for people: the newest first, with what is in force."""

from datetime import datetime
from typing import NamedTuple

from reviewsvc.db import labels as rows
from reviewsvc.db import versions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.labels import Cursor, LabelRecord
from reviewsvc.domain.moments import moment
from reviewsvc.usecases import labels
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.labels import ModelMissingError


class Summary(NamedTuple):
    """How many labels of a model are in force and withdrawn, when the last came, and where its log ends."""

    current: int
    withdrawn: int
    last_at: datetime | None
    incarnation: int
    size: int


def summary(desk: Desk, model: str) -> Summary:
    """Return what there is of a model's labels. Raises ModelMissingError."""
    with desk.sessions.begin() as session:
        found, logs = versions.model(session, model), rows.logs_of(session, model)
        if found is None or not logs:
            raise ModelMissingError(f"There is no model {model}.")
        counted = rows.counts(session, found.model_id)
    last = moment(counted.last_us) if counted.last_us else None
    return Summary(counted.current, counted.withdrawn, last, logs[-1].incarnation, logs[-1].leaving)


def newest(
    desk: Desk, model: str, ends: Summary, before: int | None, limit: int, *, actor: Actor, at: datetime
) -> list[LabelRecord]:
    """Return the labels just before a seq, the newest first; what is shown is logged."""
    end = min(before or ends.size, ends.size)
    start = max(end - limit - 1, 0)
    if end <= 1:
        return []
    after = str(Cursor(ends.incarnation, start))
    items = labels.page(desk, model, after, end - start - 1, actor=actor, at=at).items
    return list(reversed(items))
