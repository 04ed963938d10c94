"""A queue's document: who works on it, under which terms, and what happens when the due time passes."""

import enum

from msgspec import Struct

from reviewsvc.domain.document import DocumentError, DocumentFault, Fields
from reviewsvc.domain.policy import LONGEST_DUE_MINUTES, MOST_REVIEWERS, PRIORITY

MAY_SEE_ANSWER = ("reviewer", "lead", "auditor", "owner")


class WhenDue(enum.StrEnum):
    """What happens to a task whose due time passes: it stays, moves on, or ends with the model's answer.

    A defaulted outcome is never a label.
    """

    WAIT = "wait"
    ESCALATE = "escalate"
    DEFAULTED = "defaulted"


class Queue(Struct, frozen=True):
    """One queue; its lane is the set of `skills` that a reviewer needs for it.

    What is None is the installation's setting. `sees_model_answer` lists the roles to whom the model's answer
    is sent while a task is open; a blind queue never sends it to reviewers.
    """

    name: str
    title: str
    instructions: str = ""
    skills: tuple[str, ...] = ()
    when_due: WhenDue = WhenDue.WAIT
    escalate_to: str | None = None
    priority: int = PRIORITY
    due_in_minutes: int | None = None
    reviewers: int = 1
    blind: bool = False
    sees_model_answer: tuple[str, ...] = ("reviewer", "lead")
    lease_minutes: int | None = None
    undo_minutes: int | None = None


def read_queue(data: object) -> Queue:
    """Read a queue from plain data; DocumentError with every fault, named by its path."""
    faults: list[DocumentFault] = []
    read = Fields(data, (), faults)
    read.choice("kind", ("queue",), "queue")
    name = read.name("name")
    when_due, escalate_to = _when_due(read, name)
    blind = read.flag("blind", False)  # noqa: FBT003 - the default
    queue = Queue(
        name=name,
        title=read.text("title", name, longest=200),
        instructions=read.text("instructions", "", longest=20_000),
        skills=read.texts("skills", "skills", required=False),
        when_due=when_due,
        escalate_to=escalate_to,
        priority=read.whole("priority", 0, 100, PRIORITY),
        due_in_minutes=read.whole("due_in_minutes", 1, LONGEST_DUE_MINUTES, None),
        reviewers=read.whole("reviewers", 1, MOST_REVIEWERS, 1),
        blind=blind,
        sees_model_answer=_seers(read, blind=blind),
        lease_minutes=read.whole("lease_minutes", 1, 24 * 60, None),
        undo_minutes=read.whole("undo_minutes", 0, 24 * 60, None),
    )
    read.finish()
    if faults:
        raise DocumentError(faults)
    return queue


def _when_due(read: Fields, name: str) -> tuple[WhenDue, str | None]:
    if not isinstance(read.data.get("when_due"), dict):
        action = WhenDue(read.choice("when_due", tuple(WhenDue), WhenDue.WAIT))
        if action is WhenDue.ESCALATE:
            read.fault("escalate: with the name of a queue", "escalate", "when_due")
        return action, None
    read.read.add("when_due")
    inner = read.below(read.data["when_due"], "when_due")
    target = inner.name("escalate")
    inner.finish()
    if target == name:
        inner.fault("another queue than this one", target, "escalate")
    return WhenDue.ESCALATE, target


def _seers(read: Fields, *, blind: bool) -> tuple[str, ...]:
    roles = read.texts("sees_model_answer", "roles", required=False)
    for place, role in enumerate(roles):
        if role not in MAY_SEE_ANSWER:
            read.fault(f"one of {', '.join(MAY_SEE_ANSWER)}", role, "sees_model_answer", place)
        elif blind and role == "reviewer":
            read.fault("no reviewer, since the queue is blind", role, "sees_model_answer", place)
    return roles or (("lead",) if blind else ("reviewer", "lead"))
