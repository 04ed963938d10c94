"""The erasure journal: which keys were destroyed, in a file outside the database and its backups.

A restored database has destroyed keys again. The journal is read before it opens, so that they go once more.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from reviewsvc.durable import sync_folder

_VERSION: Final = 1
_HEX_ID: Final = 32


class JournalError(RuntimeError):
    """The journal cannot be read or written; the text says what to do."""


class TornJournalError(JournalError):
    """The last line was not written to its end; `lines` are those before it."""

    def __init__(self, text: str, lines: list["Line"]) -> None:
        super().__init__(text)
        self.lines = lines


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One erasure: its id, its time in microseconds, and the ids of the keys that it destroys, in hex."""

    v: int
    at: int
    erasure: str
    keys: list[str]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode


class ErasureJournal:
    """An append-only file, one JSON object a line; several processes of one machine may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, erasure: str, keys: list[str], at: int) -> None:
        """Write an erasure; on return its line is on the disk, so that its keys may be destroyed.

        Raises JournalError, upon which nothing may be destroyed.
        """
        line = _encode(Line(_VERSION, at, erasure, keys)) + b"\n"
        try:
            with self._locked() as descriptor:
                # A line without its end was never on the disk as a whole: its erasure had not begun.
                os.ftruncate(descriptor, _whole(descriptor))
                _write(descriptor, line)
                os.fsync(descriptor)
            sync_folder(self.path.parent)
        except OSError as fault:
            raise JournalError(
                f"the erasure journal {self.path} cannot be written ({fault.strerror}), so nothing is "
                "erased: make REVIEWSVC_ERASURE_JOURNAL name a file that this process may write"
            ) from fault

    def read(self) -> list[Line]:
        """Return the erasures in the order in which they were written; none if there is no journal yet.

        Raises TornJournalError if the last line lacks its end, JournalError if it is damaged otherwise.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise JournalError(f"the erasure journal {self.path} cannot be read: {fault.strerror}") from fault
        *whole, rest = data.split(b"\n")
        lines = [self._line(number, text) for number, text in enumerate(whole, 1)]
        if rest:
            raise TornJournalError(
                f"line {len(whole) + 1} of the erasure journal {self.path} lacks its end. If this is the "
                "original, its writer stopped before it destroyed anything: remove that line. If it is a "
                "copy, copy it again",
                lines,
            )
        return lines

    def _line(self, number: int, text: bytes) -> Line:
        try:
            found = _decode(text)
            fits = all(len(key) == _HEX_ID and bytes.fromhex(key) for key in found.keys)
        except (msgspec.DecodeError, ValueError) as fault:
            raise JournalError(self._damaged(number, str(fault))) from fault
        if found.v != _VERSION or not fits or not found.keys:
            raise JournalError(self._damaged(number, "it is no erasure of this version"))
        return found

    def _damaged(self, number: int, why: str) -> str:
        return f"line {number} of the erasure journal {self.path} is damaged ({why}): put back its last copy"

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _whole(descriptor: int) -> int:
    """How many bytes of the file are whole lines."""
    size = os.fstat(descriptor).st_size
    step = 4096
    end = size
    while end > 0:
        begin = max(0, end - step)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _write(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]
