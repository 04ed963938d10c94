"""What stands beside the logs and has a verdict too: each check is a function in one list."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.verdict import Findings, LogReport, Verdict
from reviewsvc.domain.witness_policy import Policy
from reviewsvc.usecases import anchor_check
from reviewsvc.usecases.note_check import NoteCheck


class Beside(NamedTuple):
    """What was found, and what is worth a remark."""

    reports: list[LogReport]
    remarks: list[str]


def _anchors(conn: Connected, _notes: NoteCheck) -> Beside:
    """Witnesses' signatures and time stamps against the checkpoints that they are about."""
    names = {head.log_id: head.name for head in scan.logs(conn)}
    found = Findings("(anchors)")
    for wrong in anchor_check.check(conn):
        name = names.get(wrong.root_log_id, "a root log that is missing")
        found.note(wrong.size - 1, f"{name}: {wrong.what}")
    told = [LogReport(found.log, 0, "", found.found, [], found.more)] if found.found else []
    return Beside(told, anchor_check.remarks(conn))


# Each is given the connection and the keys, and is run once all logs were read from beginning to end.
CHECKS: Final[Sequence[Callable[[Connected, NoteCheck], Beside]]] = (_anchors,)


def run(conn: Connected, notes: NoteCheck, policy: Policy | None = None) -> Beside:
    """Do all of them, and hold the root log against a policy of witnesses, if there is one."""
    found = [check(conn, notes) for check in CHECKS]
    if policy is not None:
        found.append(_policy(conn, policy))
    return Beside(
        [log for each in found for log in each.reports], [what for each in found for what in each.remarks]
    )


def _policy(conn: Connected, policy: Policy) -> Beside:
    size = anchor_check.cosigned_up_to(conn, policy)
    if size is not None:
        told = f"the witnesses of the policy cosigned {size} entries of the root log"
        return Beside([], [told] if size else [])
    found = Findings("(anchors)")
    unmet = "the policy is not met: no checkpoint of the root log is cosigned as it asks"
    found.note(0, unmet, Verdict.INCOMPLETE)
    return Beside([LogReport(found.log, 0, "", found.found)], [])
