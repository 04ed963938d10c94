"""Follows a log's chain over its stored bytes, and says of each place what does not hold."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from reviewsvc.domain.entries import ZERO_HASH
from reviewsvc.domain.verdict import Findings

_HASH_DIGITS: Final = 64
_TIME_DIGITS: Final = 20
_PREV: Final = b'"prev":"'


class Chain:
    """One log, entry by entry: the hash recomputed of each must stand in the one behind it."""

    def __init__(self, origin: str, findings: Findings) -> None:
        self._findings = findings
        self.seq = 0
        self.last_hash = ZERO_HASH
        self.last_at = 0
        self._start = f'{{"v":1,"log":"{origin}/{findings.log}","seq":'.encode()

    def follow(self, chunk: Iterable[tuple[int, bytes]]) -> None:
        """Check the next entries, given as (seq of the row, stored bytes) in the order of their rows."""
        start, expected, before, last_at = self._start, self.seq, self.last_hash.hex().encode(), self.last_at
        for seq, body in chunk:
            prefix = b'%b%d,"prev":"%b","at":' % (start, seq, before)
            at = _number(body, len(prefix))
            if seq != expected or not body.startswith(prefix):
                self._explain(seq, body, expected, before)
            elif at < last_at:
                self._findings.note(seq, f"its time {at} is before the time {last_at} of the entry before")
            last_at = at if at >= 0 else last_at
            before = sha256(b"\x00" + body).hexdigest().encode()
            expected = max(expected, seq + 1)
        self.seq, self.last_hash, self.last_at = expected, bytes.fromhex(before.decode()), last_at

    def end(self, size: int, last_hash: bytes, last_at: int) -> None:
        """Compare with what the head says, once every entry below its size was followed."""
        note = self._findings.note
        if self.seq < size:
            note(self.seq, f"{_entries(self.seq, size)} missing: the head counts {size}")
        elif self.seq > size:
            note(size, f"the head counts {size} entries, {self.seq} are stored")
        elif size == 0:
            note(0, "it has no first entry")
        elif last_hash != self.last_hash:
            told = f"the hash of its bytes is {self.last_hash.hex()}, the head carries {last_hash.hex()}"
            note(size - 1, told)
        elif last_at != self.last_at:
            note(size - 1, f"its time is {self.last_at}, the head carries {last_at}")

    def _explain(self, seq: int, body: bytes, expected: int, before: bytes) -> None:
        note = self._findings.note
        if seq > expected:
            note(expected, f"{_entries(expected, seq)} missing")
        elif seq < expected:
            note(seq, "it is stored twice, or before the log's first entry")
        own = b"%b%d," % (self._start, seq)
        if not body.startswith(self._start):
            note(seq, "its bytes do not begin as an entry of this log")
        elif not body.startswith(own + _PREV):
            note(seq, "its bytes carry another seq than its row, or no prev")
        elif seq == expected:
            begin = len(own) + len(_PREV)
            carried = body[begin : begin + _HASH_DIGITS].decode("ascii", "replace")
            self._note_link(seq, before.decode(), carried)

    def _note_link(self, seq: int, before: str, carried: str) -> None:
        if seq == 0:
            self._findings.note(0, f"the first entry's prev is {carried}, not {_HASH_DIGITS} zeros")
        elif carried == before:
            self._findings.note(seq, "behind its prev stands no time")
        else:
            told = f"the hash of its bytes is {before}, the entry behind it carries {carried}"
            self._findings.note(seq - 1, told)


def _number(body: bytes, begin: int) -> int:
    """Read the digits up to the next comma; -1 if there are none, or too many for a time."""
    end = body.find(b",", begin, begin + _TIME_DIGITS)
    digits = body[begin:end] if end > 0 else b""
    return int(digits) if digits.isdigit() else -1


def _entries(first: int, behind: int) -> str:
    return f"entry {first} is" if behind == first + 1 else f"entries {first} to {behind - 1} are"
