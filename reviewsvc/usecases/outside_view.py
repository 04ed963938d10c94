"""What a verification is told from outside the database: keys, the signer's memory, its own memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from reviewsvc.crypto import owned_files
from reviewsvc.crypto.notes import Verifier
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import Report
from reviewsvc.domain.witness_policy import Policy
from reviewsvc.usecases.payload_check import KekSource

_TOLD_BY_SIGNER: Final = "the signer remembers to have signed"


class MarksError(RuntimeError):
    """The file of what was verified before cannot be read; the text says what to do."""


class Mark(Struct, frozen=True, forbid_unknown_fields=True):
    """A log's checkpoint that was verified: entries, root in hex."""

    size: int
    root: str


class Marks(Struct, frozen=True, forbid_unknown_fields=True):
    """What was verified before of an installation, by log; `at` is when, RFC 3339.

    `whole_at` is when everything was verified the last time, in microseconds; 0 if that is not known.
    """

    installation: str
    at: str
    logs: dict[str, Mark] = {}
    whole_at: int = 0


class Outside(NamedTuple):
    """`keys` are verifier keys had elsewhere, None if there are none; `tips` asks the signer's memory.

    `is_asked` says that the keys were named for this run, so that something must be signed by them; `policy`
    which witnesses must have cosigned the root log. `keks` open the payloads; without them they stay shut.
    """

    keys: Sequence[Verifier] | None = None
    is_asked: bool = False
    tips: Callable[[Sequence[str]], Sequence[Tip]] | None = None
    marks: Marks | None = None
    policy: Policy | None = None
    keks: KekSource | None = None

    def check_marks(self, installation: str) -> None:
        """Raise MarksError if what is remembered is of another installation."""
        if self.marks and self.marks.installation != installation:
            told = f"what is remembered is of {self.marks.installation}, this database is {installation}"
            raise MarksError(f"{told}: name another file with --memory, or find out who exchanged it")

    def known(self, origin: str, logs: Sequence[str]) -> Mapping[str, list[SignedRoot]]:
        """Return the roots that are remembered outside, by log. Raises SigningError."""
        found: dict[str, list[SignedRoot]] = {log: [] for log in logs}
        tips = self.tips([f"{origin}/{log}" for log in logs]) if self.tips else []
        for log, tip in zip(logs, tips, strict=False):
            if tip.size:
                found[log].append(SignedRoot(tip.size, bytes.fromhex(tip.root), _TOLD_BY_SIGNER))
        marks = self.marks
        for log, mark in marks.logs.items() if marks else ():
            told = f"the verification of {marks.at if marks else ''} found"
            found.setdefault(log, []).append(SignedRoot(mark.size, bytes.fromhex(mark.root), told))
        return found


def load_marks(path: Path) -> Marks | None:
    """Read what was verified before; None if nothing was. Raises MarksError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Marks)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise MarksError(f"{path} cannot be read ({fault}): remove it, and verify everything") from fault


def next_marks(
    installation: str, at: str, report: Report, before: Marks | None, *, whole_at: int | None = None
) -> Marks:
    """Add up to where the logs of a report were found as they were signed to what was verified before.

    `whole_at` is given, in microseconds, where the report is of everything.
    """
    kept = dict(before.logs) if before else {}
    known = kept.keys()
    # A part of a log is kept only if it went on from what was verified before.
    whole = [log for log in report.logs if log.seal and (log.first == 0 or log.log in known)]
    kept |= {log.log: Mark(log.sealed, log.seal) for log in whole}
    last = before.whole_at if before else 0
    return Marks(installation, at, kept, last if whole_at is None else whole_at)


def save_marks(path: Path, marks: Marks) -> None:
    """Keep what was verified. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owned_files.replace(path, msgspec.json.encode(marks))
