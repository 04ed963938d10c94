"""What stands beside the logs and has a verdict too: each check is a function in one list."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.verdict import LogReport
from reviewsvc.usecases.note_check import NoteCheck


class Beside(NamedTuple):
    """What was found, and what is worth a remark."""

    reports: list[LogReport]
    remarks: list[str]


# Each is given the connection and the keys, and is run once all logs were read from beginning to end.
CHECKS: Final[Sequence[Callable[[Connected, NoteCheck], Beside]]] = ()


def run(conn: Connected, notes: NoteCheck) -> Beside:
    """Do all of them."""
    found = [check(conn, notes) for check in CHECKS]
    return Beside(
        [log for each in found for log in each.reports], [what for each in found for what in each.remarks]
    )
