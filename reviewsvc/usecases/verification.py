"""Verifies every log as it is stored: bytes, chain, head, and that each projection agrees with it."""

import time
from collections.abc import Callable, Iterator
from hashlib import sha256

from reviewsvc.db.hot import scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.entries import ZERO_HASH
from reviewsvc.domain.verdict import Finding, LogReport, Report, worst
from reviewsvc.usecases.projection_check import ProjectionCheck

Progress = Callable[[str, int, int], None]
Chunk = list[tuple[int, bytes]]

CHUNK = 10_000
MOST_FINDINGS = 100


class VerificationError(RuntimeError):
    """The verification could not run; the text says why."""


class Chain:
    """Follows one log's chain entry by entry and notes every place where it does not hold."""

    def __init__(self, origin: str, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.seq = 0
        self.last_hash = ZERO_HASH
        self.last_at = 0
        self._start = f'{{"v":1,"log":"{origin}/{name}","seq":'.encode()

    def note(self, seq: int, what: str) -> None:
        """Remember a finding; beyond the first hundred only the count would grow."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(self.name, seq, what))

    def follow(self, chunk: Chunk) -> None:
        """Check the next entries: the recomputed hash of each must stand in the one behind it."""
        start, expected, before, last_at = self._start, self.seq, self.last_hash.hex(), self.last_at
        for seq, body in chunk:
            prefix = b'%b%d,"prev":"%b","at":' % (start, seq, before.encode())
            if seq != expected:
                self.note(expected, f"entries {expected} to {seq - 1} are missing")
            elif not body.startswith(prefix):
                self.note(seq, self._why(seq, body, before))
            at = _at(body)
            if at < last_at:
                self.note(seq, f"its time {at} is before the time {last_at} of the entry before")
            last_at = max(at, last_at)
            before = sha256(b"\x00" + body).hexdigest()
            expected = seq + 1
        self.seq, self.last_hash, self.last_at = expected, bytes.fromhex(before), last_at

    def _why(self, seq: int, body: bytes, before: str) -> str:
        if not body.startswith(self._start):
            return "its bytes do not begin as an entry of this log"
        if not body.startswith(b"%b%d," % (self._start, seq)):
            return "its bytes carry another seq than its row"
        return f"its prev is not the hash of the entry before, recomputed as {before}"

    def end(self, head: scan.LogHead) -> None:
        """Compare with the head, once every stored entry was followed."""
        if head.size != self.seq:
            self.note(min(head.size, self.seq), f"the head counts {head.size} entries, {self.seq} are stored")
        elif head.last_hash != self.last_hash:
            what = f"the head's hash is not {self.last_hash.hex()}, recomputed from the last entry"
            self.note(self.seq - 1, what)


def _at(body: bytes) -> int:
    start = body.find(b'"at":', 0, 400) + 5
    digits = body[start : body.find(b",", start)]
    return int(digits) if digits.isdigit() else 0


def verify(
    conn: Connected,
    *,
    only: str | None = None,
    projections: bool = True,
    progress: Progress = lambda _log, _done, _size: None,
) -> Report:
    """Verify all logs, or the one with this name, against recomputed hashes and the projections.

    Entries that are appended meanwhile are left to the next run: each log is read up to the size that its
    head had when the run began. VerificationError if there is nothing that could be verified.
    """
    began = time.monotonic()
    heads = [head for head in scan.logs(conn) if only in (None, head.name)]
    origin = scan.origin(conn)
    if origin is None or not heads:
        raise VerificationError(_nothing(only))
    check = ProjectionCheck(conn) if projections else None
    logs = [_verify_log(conn, origin, head, check, progress) for head in heads]
    if check and only is None:
        logs.extend(check.strays())
    return Report(
        verdict=worst([finding for log in logs for finding in log.findings]),
        remarks=["unsigned"],
        logs=logs,
        entries=sum(log.size for log in logs),
        seconds=round(time.monotonic() - began, 3),
    )


def _nothing(only: str | None) -> str:
    if only is None:
        return "there are no logs yet: start any process of the service once"
    return f"there is no log {only}: `reviewsvc audit verify --json` lists them all"


def _verify_log(
    conn: Connected, origin: str, head: scan.LogHead, check: ProjectionCheck | None, progress: Progress
) -> LogReport:
    chain = Chain(origin, head.name)
    if check:
        check.begin(head)
    read = 0
    for chunk in _chunks(conn, head):
        chain.follow(chunk)
        if check:
            check.chunk(chunk)
        read += len(chunk)
        progress(head.name, read, head.size)
    chain.end(head)
    findings = chain.findings + (check.end() if check else [])
    unknown = check.unknown_kinds if check else []
    findings.sort(key=lambda finding: finding.seq)
    return LogReport(head.name, read, chain.last_hash.hex(), findings, unknown)


def _chunks(conn: Connected, head: scan.LogHead) -> Iterator[Chunk]:
    after = 0
    while chunk := list(scan.entries(conn, head.log_id, after, CHUNK)):
        now = [row for row in chunk if row[0] < head.size] if chunk[-1][0] >= head.size else chunk
        if now:
            yield now
        if len(now) < len(chunk) and _is_newer(conn, head):
            return
        if len(now) < len(chunk):
            yield chunk[len(now) :]
        after = chunk[-1][0] + 1


def _is_newer(conn: Connected, head: scan.LogHead) -> bool:
    """Tell whether the log grew since the run began; entries beyond a head that did not move are strange."""
    return any(log.log_id == head.log_id and log.size > head.size for log in scan.logs(conn))
