"""Who received something of a subject: by topics, pulls, answers, bundles and exports."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from reviewsvc.db import tables as t
from reviewsvc.db.direct import run
from reviewsvc.db.subjects import Kept

NOTED_EVERY: Final = timedelta(minutes=1)

_TOPICS: Final = (
    "SELECT r.topic AS receiver, count(*) AS amount, max(s.at) AS last_at FROM relay_place r JOIN ("
    "SELECT log_id, seq, at FROM label WHERE id_hash = ANY(%(id_hashes)s) UNION ALL "
    "SELECT log_id, seq, at FROM activity WHERE task_id = ANY(%(task_ids)s) "
    "AND kind IN ('decision', 'retraction', 'task_moved')"
    ") s ON s.log_id = r.log_id AND s.seq <= r.seq GROUP BY r.topic ORDER BY r.topic"
)
# An export says up to which seq it went; one that ended before the subject's first label held none.
_PULLS: Final = (
    "WITH exported AS (SELECT a.actor, a.at, substr(a.object, 8) AS model, "
    "convert_from(e.body, 'UTF8')::json -> 'facts' AS facts FROM activity a JOIN entry e USING (log_id, seq) "
    "WHERE a.kind = 'export' AND a.object LIKE 'labels:%%' AND a.at >= %(since)s) "
    "SELECT x.actor || coalesce(':' || (x.facts ->> 'token'), '') AS receiver, "
    "count(DISTINCT (l.log_id, l.seq)) AS amount, max(x.at) AS last_at FROM exported x "
    "JOIN model m ON m.name = x.model JOIN label l ON l.model_id = m.model_id "
    "AND l.seq <= (x.facts ->> 'up_to')::bigint AND l.at <= x.at "
    "WHERE l.id_hash = ANY(%(id_hashes)s) GROUP BY 1 ORDER BY 1"
)
# Which predictions were asked about is not kept: who asked about the model since the first may have.
_ANSWERS: Final = (
    "SELECT reader AS receiver, 1 AS amount, (extract(epoch FROM last_at) * 1000000)::bigint AS last_at "
    "FROM answer_reader WHERE model = ANY(%(models)s) "
    "AND last_at >= to_timestamp(%(since)s / 1e6) - %(noted)s ORDER BY reader"
)
_BUNDLES: Final = (
    "SELECT a.actor, a.at, e.body FROM activity a JOIN entry e USING (log_id, seq) "
    "WHERE a.kind = 'export' AND (a.object LIKE 'bundle:%%' OR a.object LIKE 'download:%%') "
    "AND a.at >= %(since)s ORDER BY a.at, a.log_id, a.seq"
)
_EXPORTS: Final = (
    "SELECT actor AS receiver, count(*) AS amount, max(at) AS last_at FROM activity "
    "WHERE kind = 'subject_export' AND object = %(object)s GROUP BY actor ORDER BY actor"
)
# Of a quarantined event: the topic of the log that the approval to erase it names.
_EVENT: Final = (
    "SELECT DISTINCT l.topic AS receiver FROM approval w JOIN entry e USING (log_id, seq) "
    "JOIN log l ON l.name = convert_from(e.body, 'UTF8')::json #>> '{facts,log}' "
    "WHERE w.act = 'erase' AND w.key_id = %(key_id)s AND l.topic IS NOT NULL"
)
_SPOTS: Final = (
    "SELECT t.id_hash, n.name AS log, a.at, q.name AS queue, d.reviewer_id FROM task t "
    "JOIN queue q USING (queue_id) JOIN activity a USING (task_id) JOIN log n USING (log_id) "
    "LEFT JOIN decision d ON d.log_id = a.log_id AND d.seq = a.seq WHERE t.task_id = ANY(%(task_ids)s) "
    "UNION ALL SELECT l.id_hash, n.name, l.at, NULL, NULL FROM label l JOIN log n USING (log_id) "
    "WHERE l.id_hash = ANY(%(id_hashes)s)"
)


class Left(NamedTuple):
    """Something that had left: of which kind, to whom, how much of it, when last (microseconds)."""

    kind: str
    receiver: str
    amount: int
    last_at: int | None


def note_answer(session: Session, model: str, reader: str, at: datetime) -> None:
    """Note that somebody asked what became of a prediction of a model, once a minute at most."""
    known = (t.answer_reader.c.model == model, t.answer_reader.c.reader == reader)
    last = session.scalar(sa.select(t.answer_reader.c.last_at).where(*known))
    if last is None or at - last >= NOTED_EVERY:
        made = insert(t.answer_reader).values(model=model, reader=reader, last_at=at)
        session.execute(made.on_conflict_do_update(index_elements=["model", "reader"], set_={"last_at": at}))


def of_event(session: Session, key_id: bytes) -> list[Left]:
    """Return what had left of a quarantined event: it lies in the topic that it came from."""
    return [Left("source", row.receiver, 1, None) for row in run(session, _EVENT, {"key_id": key_id})]


def of_subject(session: Session, key_id: bytes, found: Kept) -> list[Left]:
    """Return what had left of a subject's data, and to whom, but for bundles."""
    topics: dict[str, int] = {}
    for row in found.predictions:
        topics[row.topic or row.log] = topics.get(row.topic or row.log, 0) + 1
    told = [Left("source", name, amount, None) for name, amount in sorted(topics.items())]
    asked = {
        "id_hashes": found.id_hashes,
        "task_ids": found.task_ids,
        "models": sorted({row.model for row in found.predictions}),
        "since": first_at(found),
        "noted": NOTED_EVERY,
        "object": f"subject:{key_id.hex()}",
    }
    for kind, query in (
        ("topic", _TOPICS),
        ("labels", _PULLS),
        ("answers", _ANSWERS),
        ("subject_export", _EXPORTS),
    ):
        told += [Left(kind, row.receiver, row.amount, row.last_at) for row in run(session, query, asked)]
    return told


def bundles(session: Session, since: int) -> list[sa.Row[Any]]:
    """Return who made or took bundles since a moment (microseconds): actor, at, the entry's bytes."""
    return list(run(session, _BUNDLES, {"since": since}))


def spots(session: Session, found: Kept) -> list[sa.Row[Any]]:
    """Return where else a subject's cases stand: id_hash, log, at, and the queue and reviewer where known."""
    return list(run(session, _SPOTS, {"task_ids": found.task_ids, "id_hashes": found.id_hashes}))


def first_at(found: Kept) -> int:
    """Return when the first of a subject's predictions came (microseconds)."""
    return min(int(row.at) for row in found.predictions)


def token_names(session: Session, token_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return what tokens are called, those too that have ended."""
    wanted = sa.select(t.token.c.token_id, t.token.c.name).where(t.token.c.token_id.in_(token_ids))
    return {row.token_id: row.name for row in session.execute(wanted)}
