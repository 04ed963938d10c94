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
        self._at = b""
        self._start = f'{{"v":1,"log":"{origin}/{findings.log}","seq":'.encode()

    def resume(self, seq: int, before: bytes) -> None:
        """Go on with an entry, behind the bytes of the one before, which was verified earlier."""
        self.seq, self.last_hash = seq, sha256(b"\x00" + before).digest()
        prefix = b'%b%d,"prev":"%b","at":' % (self._start, seq - 1, b"0" * _HASH_DIGITS)
        self._at = _digits(before, len(prefix))

    def follow(self, chunk: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """Check the next entries, given as (seq of the row, stored bytes) in the order of their rows.

        Return their leaf hashes.
        """
        start, expected, before, at = self._start, self.seq, self.last_hash.hex().encode(), self._at
        leaves = []
        for seq, body in chunk:
            # Entries of one batch carry one time, so that most need no more than this comparison.
            usual = b'%b%d,"prev":"%b","at":%b,' % (start, seq, before, at)
            if seq == expected and at and body.startswith(usual):
                expected += 1
            else:
                at = self._look(seq, body, expected, before, at)
                expected = max(expected, seq + 1)
            leaf = sha256(b"\x00" + body).digest()
            leaves.append(leaf)
            before = leaf.hex().encode()
        self.seq, self.last_hash, self._at = expected, leaves[-1] if leaves else self.last_hash, at
        return leaves

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
        elif last_at != int(self._at or b"0"):
            note(size - 1, f"its time is {self._at.decode()}, the head carries {last_at}")

    def _look(self, seq: int, body: bytes, expected: int, before: bytes, at: bytes) -> bytes:
        """Say what does not hold of an entry, if anything, and return its time, or the one before."""
        prefix = b'%b%d,"prev":"%b","at":' % (self._start, seq, before)
        own = _digits(body, len(prefix))
        if seq != expected or not body.startswith(prefix):
            self._explain(seq, body, expected, before)
        elif not own:
            self._findings.note(seq, "behind its prev stands no time")
        elif at and int(own) < int(at):
            told = f"its time {own.decode()} is before the time {at.decode()} of the entry before"
            self._findings.note(seq, told)
        return own or at

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


def _digits(body: bytes, begin: int) -> bytes:
    """Take the digits up to the next comma; nothing if there is something else, or more than a time has."""
    end = body.find(b",", begin, begin + _TIME_DIGITS)
    digits = body[begin:end] if end > 0 else b""
    return digits if digits.isdigit() else b""


def _entries(first: int, behind: int) -> str:
    return f"entry {first} is" if behind == first + 1 else f"entries {first} to {behind - 1} are"
