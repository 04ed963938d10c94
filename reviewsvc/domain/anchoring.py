"""Anchors keep the root log's checkpoints out of the house's reach: what they answer, how far each is."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

# Kinds of anchors, as entries, tables and screens name them.
WITNESS: Final = "witness"
QUORUM: Final = "quorum"
BUCKET: Final = "bucket"
TIME_STAMP: Final = "time_stamp"
FOLDER: Final = "folder"
MAIL: Final = "mail"

# What became of a checkpoint that was given to an anchor.
KEPT: Final = "kept"
UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"
UNPROVED: Final = "unproved"
FORK: Final = "fork"
BROKEN: Final = "broken"

_LATE_US: Final = 300_000_000
_PERIODS: Final = 3
_LONGEST_WAIT_S: Final = 900
_MOST_DOUBLINGS: Final = 8

# From a smaller size, the hashes that prove the checkpoint to extend it.
Prove = Callable[[int], Sequence[bytes]]


class AnchorError(RuntimeError):
    """An anchor did not keep a checkpoint; `outcome` is the code of why, the text says it in words.

    `known` is the size that it says it has, if it says one. `notes` are checkpoints that it shows of another
    history, or of more than it was given: what one says that shows none may be a lie.
    """

    def __init__(self, outcome: str, why: str, known: int | None = None, notes: Sequence[bytes] = ()) -> None:
        self.outcome, self.known, self.notes = outcome, known, tuple(notes)
        super().__init__(why)


class Head(NamedTuple):
    """A signed checkpoint of the root log, and how to prove that it extends an older one."""

    log: str
    origin: str
    size: int
    root: bytes
    note: str
    prove: Prove

    @property
    def body(self) -> str:
        """The checkpoint's text, which is what is signed and cosigned."""
        return self.note.rpartition("\n\n")[0] + "\n"


class Kept(NamedTuple):
    """What an anchor gave back: a witness's line, an authority's answer, or what it has kept before."""

    cosignature: str | None = None
    evidence: bytes | None = None
    shown: bytes | None = None


class Anchor(Protocol):
    """Somebody who keeps checkpoints."""

    @property
    def name(self) -> str:
        """What it is called in entries."""
        ...

    @property
    def kind(self) -> str:
        """Which kind of anchor it is."""
        ...

    @property
    def place(self) -> str:
        """Where it is, for people; no password in it."""
        ...

    @property
    def every_s(self) -> int:
        """How often it is given a checkpoint at most, in seconds."""
        ...

    @property
    def vkey(self) -> str | None:
        """The verifier key of a witness."""
        ...

    def keep(self, head: Head, old: int) -> Kept:
        """Give it a checkpoint; `old` is the size of the last one that it kept. Raises AnchorError."""
        ...

    def newest(self, log: str, old: int) -> bytes | None:
        """Return the newest checkpoint that it has beyond `old` entries of a root log, or of a later one.

        None if it has none, or shows none. Raises AnchorError.
        """
        ...


class State(Struct, frozen=True):
    """How far an anchor is; times in microseconds, `since` None if it has the newest checkpoint.

    `since` is the time of the first checkpoint that it lacks; `outcome` and `why` are of its last answer.
    """

    name: str
    kind: str
    place: str
    every_s: int
    size: int
    sealed: int
    kept_at: int | None
    tried_at: int | None
    failures: int
    outcome: str | None
    why: str | None
    since: int | None

    def is_late(self, now: int) -> bool:
        """Say whether it lacks a checkpoint for longer than its period and a few retries explain."""
        return self.since is not None and now - self.since > max(
            _LATE_US, _PERIODS * self.every_s * 1_000_000
        )


def unanchored_since(states: Sequence[State], first: int | None) -> int | None:
    """Say since when no anchor at all has what is signed, in microseconds; None if one has.

    `first` is the time of the first checkpoint, since when a house without anchors is unanchored. Where
    witnesses have a quorum, it is the quorum that counts, not each witness.
    """
    has_quorum = any(each.kind == QUORUM for each in states)
    judged = [each.since for each in states if not (has_quorum and each.kind == WITNESS)]
    behind = [since for since in judged if since is not None]
    if len(behind) < len(judged):
        return None
    return max(behind, default=first)


def wait_s(failures: int, every_s: int) -> int:
    """How many seconds to wait before an anchor is tried again that failed so often in a row."""
    return (
        max(every_s, min(_LONGEST_WAIT_S, every_s * 2 ** min(failures, _MOST_DOUBLINGS))) if failures else 0
    )
