"""The signer's memory: the largest tree that it signed of each log, in a file outside the database."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from reviewsvc.crypto import owned_files
from reviewsvc.domain.signing import SigningError, Tip

_HEADER: Final = "reviewsvc signer state 1"
_REMEDY: Final = "only for a signer that never signed, `reviewsvc keys make --new-state`"
_LINE: Final = re.compile(r"(0|[1-9][0-9]{0,18}) ([0-9a-f]{64}) ([!-~]+)")


class SignerState:
    """Reads and writes the file; whoever holds its lock is the only one who does, of all processes."""

    def __init__(self, path: Path, remedy: str = _REMEDY) -> None:
        self.path, self._remedy = path, remedy

    def begin(self) -> None:
        """Make the file of a signer that has signed nothing yet; an existing one is kept."""
        owned_files.create(self.path, _encode({}))

    @contextmanager
    def locked(self) -> Iterator[dict[str, Tip]]:
        """Give the tips by origin, while no other signer on this file can read or write them.

        Raises SigningError if the file is missing or damaged: what was signed is then not known.
        """
        with ExitStack() as held:
            try:
                held.enter_context(owned_files.locked(self.path))
            except OSError as fault:
                told = f"{fault.filename}: {fault.strerror}"
                raise SigningError(
                    f"the signer's state cannot be locked ({told}): may this user write there?"
                ) from fault
            yield self.read()

    def write(self, tips: dict[str, Tip]) -> None:
        """Keep the tips; on return they are on the disk. Only for the holder of the lock."""
        owned_files.replace(self.path, _encode(tips))

    def read(self) -> dict[str, Tip]:
        """Read the tips as they are on the disk, never a copy from before. Raises SigningError."""
        # What tells a file from the one before (its number, its time) comes again within milliseconds, and
        # a signer that goes by an older memory signs another history.
        try:
            return _decode(self.path.read_text("ascii"))
        except FileNotFoundError as fault:
            raise SigningError(
                f"the signer's state {self.path} is missing, so that what was signed is not known: put it "
                f"back; {self._remedy}"
            ) from fault
        except (OSError, ValueError) as fault:
            raise SigningError(f"the signer's state {self.path} cannot be read: {fault}") from fault


def read_tips(path: Path) -> dict[str, Tip]:
    """Read what was signed, by origin, without a lock: the file is replaced whole. Raises SigningError."""
    return SignerState(path).read()


def _encode(tips: dict[str, Tip]) -> bytes:
    lines = [_HEADER, *(f"{tip.size} {tip.root} {tip.origin}" for tip in tips.values())]
    return ("\n".join(lines) + f"\nend {len(tips)}\n").encode()


def _decode(text: str) -> dict[str, Tip]:
    header, *lines, end, last = text.split("\n") if text.count("\n") > 1 else ("", "", "")
    matches = [_LINE.fullmatch(line) for line in lines]
    found = [Tip(each[3], int(each[1]), each[2]) for each in matches if each]
    tips = {tip.origin: tip for tip in found}
    if header != _HEADER or last or end != f"end {len(lines)}" or len(tips) != len(lines):
        raise ValueError(
            "it is damaged: put back its newest copy; if there is none, verify the logs, remove it, and make "
            "a new one with --new-state"
        )
    return tips
