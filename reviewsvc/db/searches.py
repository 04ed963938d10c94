"""Entries that an auditor looks for, the newest first, each question bounded by what it reads."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from reviewsvc.db.direct import run


class Cursor(NamedTuple):
    """The last entry that was looked at: the next page begins before it."""

    at: int
    log_id: int
    seq: int


class Window(NamedTuple):
    """A part of a log: seqs from `first` to before `behind`."""

    log_id: int
    first: int
    behind: int


_ACT: Final = "a.log_id, l.name AS log, a.seq, a.at, a.kind, a.actor, d.label AS said, d.value AS said_value"
_OF_TASK: Final = (
    "m.name AS model, v.version, q.name AS queue, t.status, t.prediction_log_id AS case_log_id, "
    "t.prediction_seq AS case_seq"
)
_TASK: Final = (
    "LEFT JOIN model m ON m.model_id = t.model_id LEFT JOIN queue q ON q.queue_id = t.queue_id "
    "LEFT JOIN prediction p ON p.retention_class = t.retention_class AND p.at = t.prediction_at "
    "AND p.log_id = t.prediction_log_id AND p.seq = t.prediction_seq "
    "LEFT JOIN model_version v ON v.version_id = p.version_id"
)
_WINDOWS: Final = (
    "SELECT x.* FROM unnest(%(logs)s::int[], %(firsts)s::bigint[], %(behinds)s::bigint[]) "
    "AS part(log_id, first, behind) CROSS JOIN LATERAL (SELECT * FROM {table} WHERE log_id = part.log_id "
    "AND seq >= part.first AND seq < part.behind) x"
)
_DECIDED: Final = (
    "EXISTS (SELECT FROM decision d WHERE d.task_id = t.task_id AND d.retracted_seq IS NULL{by}{said})"
)
_BEFORE: Final = "(a.at, a.log_id, a.seq) < (%(at)s, %(log_id)s, %(seq)s)"
_TIME: Final = "a.at >= %(since)s AND a.at < %(until)s"
_ORDER: Final = "ORDER BY a.at DESC, a.log_id DESC, a.seq DESC"
_SAID: Final = "(d.label = %(decision)s OR d.value = %(number)s)"

_PREDICTIONS: Final = (
    "SELECT a.log_id, l.name AS log, a.seq, a.at, 'prediction' AS kind, NULL AS actor, a.label AS said, "
    "a.value AS said_value, m.name AS model, v.version, q.name AS queue, "
    "coalesce(t.status, 'auto') AS status, a.log_id AS case_log_id, a.seq AS case_seq, a.confidence FROM "
    "({source}) a JOIN log l USING (log_id) "
    "JOIN model m USING (model_id) JOIN model_version v USING (version_id) "
    "LEFT JOIN queue q USING (queue_id) LEFT JOIN task t ON t.id_hash = a.id_hash"
)
_ACTS: Final = (
    f"SELECT {_ACT}, {_OF_TASK}, NULL::float8 AS confidence FROM ({{source}}) a JOIN log l USING (log_id) "
    f"LEFT JOIN decision d ON d.log_id = a.log_id AND d.seq = a.seq "
    f"LEFT JOIN task t ON t.task_id = a.task_id {_TASK}"
)
_LABELS: Final = (
    "SELECT a.log_id, l.name AS log, a.seq, a.at, CASE a.op WHEN 'add' THEN 'label' "
    "ELSE 'label withdrawn' END AS kind, 'person:' || d.reviewer_id AS actor, a.label AS said, a.value AS "
    "said_value, "
    f"lm.name AS model, {_OF_TASK.partition(', ')[2]}, NULL::float8 AS confidence FROM ({{source}}) a "
    "JOIN log l USING (log_id) JOIN model lm ON lm.model_id = a.model_id "
    "LEFT JOIN decision d ON d.log_id = a.decision_log_id AND d.seq = a.decision_seq "
    f"LEFT JOIN task t ON t.id_hash = a.id_hash {_TASK}"
)
_LOOKED: Final = "SELECT * FROM activity a WHERE {where} " + _ORDER + " LIMIT %(window)s"
_ANSWERED: Final = (
    "SELECT x.* FROM decision a JOIN activity x USING (log_id, seq) WHERE a.reviewer_id = %(reviewer)s "
    f"AND {_TIME} AND {_BEFORE} ORDER BY a.at DESC, a.log_id DESC, a.seq DESC LIMIT %(window)s"
)
_TABLES: Final = {"prediction": _PREDICTIONS, "label": _LABELS}
_EXACT: Final = {
    "prediction": "SELECT * FROM prediction WHERE {}",
    "label": "SELECT * FROM label WHERE id_hash = ANY(%(ids)s)",
    "acts": "SELECT * FROM activity WHERE task_id IN (SELECT task_id FROM task WHERE id_hash = ANY(%(ids)s))",
}


def windows(
    session: Session, table: str, parts: Sequence[Window], asked: Mapping[str, Any]
) -> list[sa.Row[Any]]:
    """Return predictions or labels (`table` says which) in parts of their logs that fit what is asked."""
    columns = zip(*parts, strict=True) if parts else ((), (), ())
    named = dict(zip(("logs", "firsts", "behinds"), map(list, columns), strict=True))
    query = _TABLES[table].format(source=_WINDOWS.format(table=table))
    return _found(session, f"{query} WHERE {_wanted(table, asked)}", {**asked, **named})


def acts(session: Session, asked: Mapping[str, Any]) -> list[sa.Row[Any]]:
    """Return what people did, among the next `window` acts that fit in time, kind and reviewer."""
    query = _ACTS.format(source=_looked(asked))
    return _found(session, f"{query} WHERE {_wanted('acts', asked)}", asked)


def last_act(session: Session, asked: Mapping[str, Any]) -> Cursor | None:
    """Return the last of the acts that `acts` looks at; None if there were fewer than `window`."""
    query = f"SELECT at, log_id, seq FROM ({_looked(asked)}) a ORDER BY at, log_id, seq LIMIT 1"
    counted = f"SELECT count(*) FROM ({_looked(asked)}) a"
    if (run(session, counted, asked).scalar() or 0) < asked["window"]:
        return None
    return Cursor._make(run(session, query, asked).one())


def exact(session: Session, table: str, asked: Mapping[str, Any]) -> list[sa.Row[Any]]:
    """Return entries about predictions that keyed hashes name: `ids`, or `finds` and `subject`."""
    terms = [
        each
        for each, name in (("find = ANY(%(finds)s)", "finds"), ("subject = %(subject)s", "subject"))
        if asked.get(name) is not None
    ]
    source = _EXACT[table].format(" AND ".join(terms))
    query = {**_TABLES, "acts": _ACTS}[table].format(source=source)
    return _found(session, f"{query} WHERE {_wanted(table, asked)}", asked)


def ids(session: Session, asked: Mapping[str, Any], most: int) -> list[bytes]:
    """Return the keyed hashes of predictions with these `finds` or of this `subject`, so many at most."""
    terms = [
        each
        for each, name in (("find = ANY(%(finds)s)", "finds"), ("subject = %(subject)s", "subject"))
        if asked.get(name) is not None
    ]
    query = f"SELECT DISTINCT id_hash FROM prediction WHERE {' AND '.join(terms)} LIMIT %(most)s"
    return [bytes(row[0]) for row in run(session, query, {**asked, "most": most})]


def logs(session: Session, kinds: Sequence[str], model: str | None) -> list[sa.Row[Any]]:
    """Return the logs of these kinds with their sizes: log_id, name, size; label logs only of this model."""
    query = (
        "SELECT l.log_id, l.name, h.size FROM log l JOIN head h USING (log_id) WHERE l.kind = ANY(%(kinds)s) "
        "AND (%(model)s::text IS NULL OR l.model IS NULL OR l.model = %(model)s) AND h.size > 0 ORDER BY 1"
    )
    return list(run(session, query, {"kinds": list(kinds), "model": model}))


def _looked(asked: Mapping[str, Any]) -> str:
    if asked.get("reviewer") is not None and asked["kinds"] == ["decision"]:
        return _ANSWERED
    terms = ["a.kind = ANY(%(kinds)s)", _TIME, "a.at <= %(at)s", _BEFORE]
    if asked.get("actors") is not None:
        terms.append("a.actor = ANY(%(actors)s)")
    return _LOOKED.format(where=" AND ".join(terms))


def _wanted(table: str, asked: Mapping[str, Any]) -> str:
    """The conditions on one entry; each is a text of ours, what is looked for is a parameter."""
    terms = [_TIME, _BEFORE]
    if asked.get("model") is not None:
        terms.append(f"{'lm' if table == 'label' else 'm'}.name = %(model)s")
    if asked.get("version") is not None:
        terms.append("v.version = %(version)s")
    by = asked.get("reviewer") is not None
    said = asked.get("decision") is not None
    if table == "prediction" and (by or said):
        terms.append(
            _DECIDED.format(
                by=" AND d.reviewer_id = %(reviewer)s" if by else "", said=f" AND {_SAID}" if said else ""
            )
        )
    elif table == "label":
        terms += ["d.reviewer_id = %(reviewer)s"] if by else []
        terms += ["(a.label = %(decision)s OR a.value = %(number)s)"] if said else []
    elif table == "acts":
        terms += ["a.kind = ANY(%(kinds)s)"]
        terms += ["a.actor = ANY(%(actors)s)"] if by else []
        terms += [_SAID] if said else []
    return " AND ".join(terms)


def _found(session: Session, query: str, asked: Mapping[str, Any]) -> list[sa.Row[Any]]:
    return list(run(session, f"{query} {_ORDER} LIMIT %(limit)s", asked))
