"""What documents say, in a line."""

from collections.abc import Mapping
from typing import Final

from reviewsvc.domain.contract import Contract
from reviewsvc.domain.policy import Policy
from reviewsvc.domain.queue import Queue, WhenDue

TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "contract": ("Contracts", "What a model promises of every prediction."),
    "policy": ("Policies", "Which of a model's answers go to people, and why."),
    "queue": ("Queues", "Where they wait, for whom, and what happens when time is over."),
}
_WHEN_DUE: Final = {
    WhenDue.WAIT: "waits when its time is over",
    WhenDue.ESCALATE: "goes to {} when its time is over",
    WhenDue.DEFAULTED: "takes the model's answer when its time is over",
}


def about(document: Contract | Policy | Queue) -> str:
    """Say what a document says."""
    if isinstance(document, Contract):
        classes = (
            f", {_count(len(document.output.classes), 'class', 'classes')}" if document.output.classes else ""
        )
        return f"{_count(len(document.fields), 'field')}{classes}, risk tier {document.risk_tier}"
    if isinstance(document, Policy):
        rules = ", ".join(rule.id for rule in document.rules)
        return f"{_count(len(document.rules), 'rule')}: {rules}"
    asked = "" if document.reviewers == 1 else f"{document.reviewers} reviewers, "
    blind = "blind, " if document.blind else ""
    due = _WHEN_DUE[document.when_due].format(document.escalate_to)
    return f"{document.title}: {asked}{blind}{due}"


def told(line: str) -> dict[str, str]:
    """Take a line of a difference apart: its sign, and what it says."""
    return {"sign": line[:1], "text": line[2:]}


def _count(amount: int, one: str, many: str | None = None) -> str:
    return f"{amount} {one if amount == 1 else many or one + 's'}"
