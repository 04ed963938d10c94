"""Rows of tasks and decisions, read for verification."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from reviewsvc.db.hot.connection import Connected

Row = tuple[Any, ...]


def tasks(conn: Connected, expressions: Sequence[str], task_ids: Sequence[UUID]) -> list[Row]:
    """These columns of tasks, the id first, and at last whether the task was escalated."""
    query = f"SELECT {', '.join(expressions)}, escalated FROM task WHERE task_id = ANY(%s)"
    return conn.execute(query, (list(task_ids),)).fetchall()


def tasks_of(conn: Connected, id_hashes: Sequence[str]) -> dict[str, Row]:
    """By prediction (keyed hash in hex): the place (log id, seq) of the entry that its task is from."""
    query = (
        "SELECT encode(id_hash, 'hex'), prediction_log_id, prediction_seq FROM task WHERE id_hash = ANY(%s)"
    )
    found = conn.execute(query, ([bytes.fromhex(each) for each in id_hashes],))
    return {row[0]: row[1:] for row in found}


def tasks_since(conn: Connected, log_id: int, seq: int) -> list[UUID]:
    """The tasks that entries of a log from this seq on are about, or of the logs as which it went on."""
    query = (
        "SELECT DISTINCT task_id FROM activity WHERE task_id IS NOT NULL AND "
        "(log_id = %(log_id)s AND seq >= %(seq)s OR log_id IN (SELECT later.log_id FROM log old "
        "JOIN log later USING (series) "
        "WHERE old.log_id = %(log_id)s AND later.incarnation > old.incarnation))"
    )
    return [row[0] for row in conn.execute(query, {"log_id": log_id, "seq": seq})]


def answers(conn: Connected, task_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """By task: status, the answer's label and value, and the place (log id, seq) of its entry."""
    query = (
        "SELECT task_id, status, answer_label, answer_value, answer_log_id, answer_seq "
        "FROM task WHERE task_id = ANY(%s)"
    )
    return {row[0]: row[1:] for row in conn.execute(query, (list(task_ids),))}


def queues_of(conn: Connected, task_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """By task: the queue that it is in, and whether it was escalated."""
    query = "SELECT task_id, queue_id, escalated FROM task WHERE task_id = ANY(%s)"
    return {row[0]: row[1:] for row in conn.execute(query, (list(task_ids),))}


def retractions(conn: Connected, decision_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """By decision: the place (log id, seq) of the entry that took it back, or nothing twice."""
    query = "SELECT decision_id, retracted_log_id, retracted_seq FROM decision WHERE decision_id = ANY(%s)"
    return {row[0]: row[1:] for row in conn.execute(query, (list(decision_ids),))}
