"""A partition as this process holds it, and what may be wrong with what Kafka has of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reviewsvc.db.hot.heads import Head


class Kind(StrEnum):
    """What is wrong with a partition."""

    RECREATED = "recreated"
    CHANGED = "changed"
    OUT_OF_RANGE = "out_of_range"
    JUMP = "jump"
    UNREADABLE = "unreadable"


# What is lost does not come back, and looking sound later proves nothing: only a consent ends these.
LASTING = frozenset({Kind.RECREATED, Kind.CHANGED, Kind.OUT_OF_RANGE})


@dataclass(slots=True)
class Held:
    """A claimed partition: the head that the next batch follows, and where reading goes on.

    `next_offset` may be ahead of the head's, by markers alone; `entry_end` is behind the last entry.
    """

    head: Head
    next_offset: int
    entry_end: int
    leader_epoch: int = -1


class AlarmError(RuntimeError):
    """A partition must not be captured on: what Kafka holds does not go on from what is stored."""

    def __init__(self, kind: Kind, reason: str, held: Held, **detail: Any) -> None:  # noqa: ANN401 - kept as JSON
        super().__init__(reason)
        self.kind, self.reason, self.held, self.detail = kind, reason, held, detail

    def is_of(self, other: "AlarmError | None") -> bool:
        """Say whether another alarm says the same of the same place."""
        return other is not None and _said(self) == _said(other)


def _said(fault: AlarmError) -> tuple[object, ...]:
    return fault.kind, fault.reason, fault.held.head.log_id, fault.held.head.next_offset, fault.detail
