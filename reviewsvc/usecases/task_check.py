"""Compares tasks, as they were made, with the predictions that asked for them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from reviewsvc.db.hot import case_rows
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain.projections import Place
from reviewsvc.domain.verdict import Findings
from reviewsvc.usecases import wanted_rows
from reviewsvc.usecases.wanted_rows import TASK_COLUMNS, TASK_EXPRESSIONS, Names

if TYPE_CHECKING:
    from reviewsvc.usecases.projection_check import Said

_ACTIVITY_LOG: Final = TASK_COLUMNS.index("activity_log_id")
# An escalation changes these; where it went is held against its own entry.
_MOVED: Final = ("queue_id", "priority")


class TaskCheck:
    """Reads the tasks that predictions ask for, and counts them."""

    def __init__(self, conn: Connected, names: Names, activity_logs: Sequence[int]) -> None:
        self._conn, self._names = conn, names
        self._activity_logs = frozenset(activity_logs)
        self._count = 0

    def chunk(self, log_id: int, said: Iterable["Said"], findings: Findings) -> None:
        """Compare the tasks that these predictions of a log ask for."""
        asked = self._asked(log_id, said, findings)
        if not asked:
            return
        stored = {row[0]: row for row in case_rows.tasks(self._conn, TASK_EXPRESSIONS, list(asked))}
        self._count += len(stored)
        for task_id, (place, facts) in asked.items():
            if task_id in stored:
                self._compare(place, facts, stored[task_id], findings)
        self._check_absent({key: asked[key] for key in asked.keys() - stored.keys()}, findings)

    def known(self) -> dict[tuple[str, str, str], int]:
        """How many tasks were found, under (table, column of the log, column of the seq)."""
        return {("task", "prediction_log_id", "prediction_seq"): self._count}

    def _asked(
        self, log_id: int, said: Iterable["Said"], findings: Findings
    ) -> dict[UUID, tuple[Place, f.Prediction]]:
        asked: dict[UUID, tuple[Place, f.Prediction]] = {}
        for seq, entry, facts in said:
            if not (isinstance(facts, f.Prediction) and facts.route and facts.route.task):
                continue
            task_id = UUID(facts.route.task)
            if task_id in asked:
                findings.note(seq, f"it asks for the task of seq {asked[task_id][0].seq}")
            asked[task_id] = Place(log_id, seq, entry.at), facts
        return asked

    def _compare(
        self, place: Place, facts: f.Prediction, stored: tuple[Any, ...], findings: Findings
    ) -> None:
        have, escalated = stored[:-1], stored[-1]
        try:
            want = wanted_rows.task(place, facts, self._names, have[_ACTIVITY_LOG])
        except (ValueError, LookupError, OverflowError) as fault:
            findings.note(place.seq, f"its facts make no task: {type(fault).__name__} {fault}")
            return
        if want is None:
            findings.note(place.seq, "it asks for a task without naming a queue and a rule")
        elif have[_ACTIVITY_LOG] not in self._activity_logs:
            findings.note(place.seq, "its task differs in activity_log_id, which names no activity log")
        elif wrong := wanted_rows.differing(TASK_COLUMNS, want, have, besides=_MOVED if escalated else ()):
            findings.note(place.seq, f"its task differs in {wrong}")

    def _check_absent(self, absent: dict[UUID, tuple[Place, f.Prediction]], findings: Findings) -> None:
        """A prediction sent twice makes no second task: one for its identity must exist."""
        if not absent:
            return
        kept = case_rows.tasks_of(self._conn, [facts.id for _, facts in absent.values()])
        for place, facts in absent.values():
            if kept.get(facts.id, (place.log_id, place.seq)) == (place.log_id, place.seq):
                findings.note(place.seq, "the task that it asks for is missing, or has another task_id")
