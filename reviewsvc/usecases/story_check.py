"""Compares what became of tasks and decisions with what the activity logs say of them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from reviewsvc.db.hot import case_rows
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.scan import LogHead
from reviewsvc.domain import facts as f
from reviewsvc.domain.projections import number
from reviewsvc.domain.verdict import Findings

if TYPE_CHECKING:
    from reviewsvc.usecases.projection_check import Said

_PENDING = "pending"


class StoryCheck:
    """Follows retractions, final answers and escalations; a task that moved on meanwhile is left out.

    Kept in memory: tasks that were escalated, and those whose answer is not where it was given.
    """

    def __init__(self, conn: Connected, queues: Mapping[str, int]) -> None:
        self._conn, self._queues = conn, queues
        self._answers = self._retractions = 0
        self._doubts: dict[UUID, tuple[int, str]] = {}
        self._moved: dict[UUID, tuple[int, str]] = {}

    def chunk(self, head: LogHead, said: Iterable["Said"], findings: Findings) -> None:
        """Hold the next entries of an activity log against the rows that they changed."""
        told = list(said)
        for one in told:
            if isinstance(one.facts, f.TaskMoved) and one.facts.move == "escalated":
                self._moved[UUID(one.facts.task)] = one.seq, one.facts.queue or ""
        self._check_retractions(head, told, findings)
        self._check_finals(head, told)

    def end(self, head: LogHead, findings: Findings) -> None:
        """Note the doubts about a log's tasks that nothing has explained."""
        self._check_moved()
        newer = set(case_rows.tasks_since(self._conn, head.log_id, head.size)) if self._doubts else set()
        for task_id, (seq, what) in self._doubts.items():
            if task_id not in newer:
                findings.note(seq, what)
        self._doubts, self._moved = {}, {}

    def known(self) -> dict[tuple[str, str, str], int]:
        """How many rows were found, under (table, column of the log, column of the seq)."""
        return {
            ("task", "answer_log_id", "answer_seq"): self._answers,
            ("decision", "retracted_log_id", "retracted_seq"): self._retractions,
        }

    def _check_retractions(self, head: LogHead, said: Iterable["Said"], findings: Findings) -> None:
        told = {UUID(one.facts.decision): one.seq for one in said if isinstance(one.facts, f.Retraction)}
        stored = case_rows.retractions(self._conn, list(told)) if told else {}
        for decision, seq in told.items():
            if stored.get(decision) == (head.log_id, seq):
                self._retractions += 1
            else:
                findings.note(seq, f"its decision {decision} is not marked as taken back by it")

    def _check_finals(self, head: LogHead, said: Iterable["Said"]) -> None:
        told = [
            (UUID(task), one.seq, final)
            for one in said
            if (final := getattr(one.facts, "final", None)) and (task := getattr(one.facts, "task", None))
        ]
        stored = case_rows.answers(self._conn, list({task for task, *_ in told})) if told else {}
        for task, seq, final in told:
            self._doubts.pop(task, None)
            if what := self._doubt((head.log_id, seq), final, stored.get(task)):
                self._doubts[task] = seq, what

    def _doubt(self, place: tuple[int, int], final: f.Final, stored: tuple[Any, ...] | None) -> str | None:
        """What does not fit between a final answer and its task; a later entry may explain it."""
        if stored is None:
            return "its task is missing"
        status, label, value, *where = stored
        if where[0] == place[0] and (where[1] or 0) > place[1]:
            # Explained by the later entry, when it comes.
            return "its task carries the answer of an entry that gives none"
        if final.status == _PENDING:
            return None if where == [None, None] else "its task still has the answer that it takes back"
        if tuple(where) != place:
            return "its task does not carry the answer that it gives"
        self._answers += 1
        if (status, label, value) != (final.status, final.label, number(final.value)):
            return "its task carries another answer than it gives"
        return None

    def _check_moved(self) -> None:
        stored = case_rows.queues_of(self._conn, list(self._moved)) if self._moved else {}
        for task, (seq, queue) in self._moved.items():
            if stored.get(task) != (self._queues.get(queue), True):
                self._doubts.setdefault(task, (seq, f"its task is not in the queue {queue}, where it went"))
