"""The rules of review: one table of states and moves, and what a set of answers amounts to.

A task asks `reviewers` people. It is decided as soon as that many agree. While they do not, one more is
asked, up to `most`; after that it waits, disputed, for someone who did not answer it.
"""

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
from msgspec import Struct

from reviewsvc.domain.agreement import Given, ruling, wanted, winner

UNDO_MINUTES = 10
_MICROSECOND = timedelta(microseconds=1)


class SlotState(StrEnum):
    """Where one place for one reviewer's answer stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    SNOOZED = "snoozed"
    DECIDED = "decided"
    CLOSED = "closed"


class Status(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    DISPUTED = "disputed"
    DECIDED = "decided"
    DEFAULTED = "defaulted"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What can happen to a slot or a task."""

    CLAIM = "claim"
    RENEW = "renew"
    RELEASE = "release"
    EXPIRE = "expire"
    SNOOZE = "snooze"
    WAKE = "wake"
    FLAG = "flag"
    ESCALATE = "escalate"
    DECIDE = "decide"
    UNDO = "undo"
    ADJUDICATE = "adjudicate"
    DEFAULT = "default"
    WITHDRAW = "withdraw"
    CLOSE = "close"


_WAITING = (SlotState.OPEN, SlotState.CLAIMED, SlotState.SNOOZED)
UNFINISHED = (Status.PENDING, Status.DISPUTED)
_SETTLED = frozenset({Status.PENDING, Status.DISPUTED, Status.DECIDED})

SLOT_MOVES: dict[tuple[SlotState, Act], SlotState] = {
    (SlotState.OPEN, Act.CLAIM): SlotState.CLAIMED,
    (SlotState.CLAIMED, Act.RENEW): SlotState.CLAIMED,
    (SlotState.CLAIMED, Act.FLAG): SlotState.CLAIMED,
    (SlotState.CLAIMED, Act.RELEASE): SlotState.OPEN,
    (SlotState.CLAIMED, Act.EXPIRE): SlotState.OPEN,
    (SlotState.CLAIMED, Act.ESCALATE): SlotState.OPEN,
    (SlotState.CLAIMED, Act.SNOOZE): SlotState.SNOOZED,
    (SlotState.CLAIMED, Act.DECIDE): SlotState.DECIDED,
    (SlotState.SNOOZED, Act.WAKE): SlotState.OPEN,
    (SlotState.DECIDED, Act.UNDO): SlotState.OPEN,
    **{(state, Act.CLOSE): SlotState.CLOSED for state in _WAITING},
}

TASK_MOVES: dict[tuple[Status, Act], frozenset[Status]] = {
    (Status.PENDING, Act.DECIDE): _SETTLED,
    **{(status, Act.UNDO): _SETTLED for status in _SETTLED},
    (Status.DISPUTED, Act.ADJUDICATE): frozenset({Status.DECIDED}),
    **{(status, Act.DEFAULT): frozenset({Status.DEFAULTED}) for status in UNFINISHED},
    **{(status, Act.WITHDRAW): frozenset({Status.WITHDRAWN}) for status in UNFINISHED},
}


class ReviewError(Exception):
    """An act on a task that its state or the rules do not allow; `code` names the reason for programs."""

    code = "not_allowed"


class StaleClaimError(ReviewError):
    """The claim has ended, or is another's."""

    code = "stale_claim"


class TaskClosedError(ReviewError):
    """The task takes no more answers."""

    code = "task_closed"


class UndoError(ReviewError):
    """The decision can not be taken back."""

    code = "undo_refused"


class AdjudicationError(ReviewError):
    """This person can not end this task's disagreement, or there is none."""

    code = "adjudication_refused"


class Slot(Struct, frozen=True):
    """One place for one reviewer's answer; `slot_id` is None until it is stored."""

    slot_id: int | None
    state: SlotState = SlotState.OPEN
    reviewer: UUID | None = None
    token: int = 0


class Claim(Struct, frozen=True):
    """What a reviewer shows to act on a slot: the fencing token tells an old claim from the one in force."""

    slot_id: int
    reviewer: UUID
    token: int


class Task(Struct, frozen=True):
    """A task with its slots in the order of their ids and its decisions in the order in which they came."""

    reviewers: int
    most: int
    slots: tuple[Slot, ...]
    given: tuple[Given, ...] = ()
    status: Status = Status.PENDING


def claim(task: Task, slot_id: int, reviewer: UUID) -> Task:
    """Give an open slot to a reviewer who holds and answered no other slot of this task."""
    if any(slot.reviewer == reviewer for slot in task.slots):
        raise ReviewError("You hold or have answered this task already.")
    return _with_slot(task, slot_id, Act.CLAIM, reviewer=reviewer, step=1)


def act(task: Task, claimed: Claim, what: Act) -> Task:
    """Renew, release, snooze, escalate or flag what one holds; StaleClaimError if it is not held any more."""
    held(task, claimed)
    reviewer = claimed.reviewer if what in (Act.RENEW, Act.FLAG) else None
    return _with_slot(task, claimed.slot_id, what, reviewer=reviewer)


def free(task: Task, slot_id: int, what: Act) -> Task:
    """Open a slot whose lease ended (`expire`) or whose rest is over (`wake`)."""
    return _with_slot(task, slot_id, what, reviewer=None)


def held(task: Task, claimed: Claim) -> Slot:
    """Return the slot that this claim still holds; StaleClaimError or TaskClosedError if it holds none."""
    slot = next((slot for slot in task.slots if slot.slot_id == claimed.slot_id), None)
    if task.status != Status.PENDING:
        raise TaskClosedError("This task takes no more answers; nothing was saved.")
    if slot is None or (slot.state, slot.reviewer, slot.token) != (
        SlotState.CLAIMED,
        claimed.reviewer,
        claimed.token,
    ):
        raise StaleClaimError("Your claim on this task has ended; nothing was saved. Claim it again.")
    return slot


def decide(task: Task, claimed: Claim, given: Given) -> Task:
    """Take the answer of the reviewer who holds the slot."""
    held(task, claimed)
    taken = _with_slot(task, claimed.slot_id, Act.DECIDE, reviewer=claimed.reviewer)
    return _settled(msgspec.structs.replace(taken, given=(*task.given, given)), Act.DECIDE)


def undo(task: Task, decision: UUID, reviewer: UUID, at: int, within: timedelta) -> Task:
    """Take back one's own decision within a time limit, unless the disagreement has been ended already."""
    found = next((one for one in task.given if one.decision == decision and not one.is_retracted), None)
    if found is None or found.reviewer != reviewer:
        raise UndoError("Only your own decision, given once, can be taken back.")
    if found.slot_id is None or ruling(task.given):
        raise UndoError("This task was adjudicated; its answers stand.")
    if (at - found.at) * _MICROSECOND > within:
        minutes = int(within.total_seconds() // 60)
        raise UndoError(f"A decision can be taken back for {minutes} minutes; this one is older.")
    _check(task, Act.UNDO, Status.PENDING)
    given = tuple(
        msgspec.structs.replace(one, is_retracted=True) if one is found else one for one in task.given
    )
    opened = _with_slot(task, found.slot_id, Act.UNDO, reviewer=None)
    return _settled(msgspec.structs.replace(opened, given=given), Act.UNDO)


def adjudicate(task: Task, given: Given) -> Task:
    """End a disagreement; refused to whoever answered the task, even if they took it back."""
    if (task.status, Act.ADJUDICATE) not in TASK_MOVES:
        raise AdjudicationError(f"Only a disputed task is adjudicated; this one is {task.status}.")
    if any(one.reviewer == given.reviewer for one in task.given):
        raise AdjudicationError("Nobody adjudicates a task that they decided; ask another lead.")
    return _settled(msgspec.structs.replace(task, given=(*task.given, given)), Act.ADJUDICATE)


def end(task: Task, what: Act) -> Task:
    """Close a task without an answer: `default` when time is over, `withdraw` when its subject is erased."""
    status = Status.DEFAULTED if what == Act.DEFAULT else Status.WITHDRAWN
    _check(task, what, status)
    return msgspec.structs.replace(task, status=status, slots=tuple(map(_closed, task.slots)))


def final(task: Task) -> Given | None:
    """The decision that gave the task its answer, or None while it has none."""
    return _answered(task) if task.status == Status.DECIDED else None


def _answered(task: Task) -> Given | None:
    return ruling(task.given) or winner(task.given, task.reviewers)


def _settled(task: Task, what: Act) -> Task:
    """Ask as many people as the answers so far demand, no more and no fewer."""
    need = wanted(task.given, task.reviewers, task.most)
    status = Status.PENDING if need else Status.DECIDED if _answered(task) else Status.DISPUTED
    _check(task, what, status)
    waiting = [slot for slot in task.slots if slot.state in _WAITING]
    slots = _fewer(task.slots, len(waiting) - need, everything=not need)
    slots += tuple(Slot(None) for _ in range(need - len(waiting)))
    return msgspec.structs.replace(task, status=status, slots=slots)


def _fewer(slots: tuple[Slot, ...], surplus: int, *, everything: bool) -> tuple[Slot, ...]:
    """Close surplus slots, youngest first; claimed ones only if no more answer is needed at all."""
    kept: list[Slot] = []
    for slot in reversed(slots):
        may = slot.state in _WAITING and (everything or slot.state != SlotState.CLAIMED)
        if may and surplus > 0:
            surplus -= 1
            kept.append(_closed(slot))
        else:
            kept.append(slot)
    return tuple(reversed(kept))


def _closed(slot: Slot) -> Slot:
    return _moved(slot, Act.CLOSE, reviewer=None) if slot.state in _WAITING else slot


def _with_slot(task: Task, slot_id: int, what: Act, *, reviewer: UUID | None, step: int = 0) -> Task:
    slots = tuple(
        _moved(slot, what, reviewer=reviewer, step=step) if slot.slot_id == slot_id else slot
        for slot in task.slots
    )
    return msgspec.structs.replace(task, slots=slots)


def _moved(slot: Slot, what: Act, *, reviewer: UUID | None, step: int = 0) -> Slot:
    state = SLOT_MOVES.get((slot.state, what))
    if state is None:
        raise ReviewError(f"A slot that is {slot.state} can not be moved by {what}.")
    return msgspec.structs.replace(slot, state=state, reviewer=reviewer, token=slot.token + step)


def _check(task: Task, what: Act, status: Status) -> None:
    if status not in TASK_MOVES.get((task.status, what), ()):
        raise TaskClosedError(f"A task that is {task.status} does not become {status} by {what}.")
