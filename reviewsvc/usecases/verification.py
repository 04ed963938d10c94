"""Verifies every log as it is stored: bytes, chain, head, and that each projection agrees with it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from reviewsvc.db.hot import crosschecks, scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import restores
from reviewsvc.domain.chain import Chain
from reviewsvc.domain.verdict import Findings, LogReport, Report, worst
from reviewsvc.usecases.projection_check import ProjectionCheck

Progress = Callable[[str, int, int], None]
Chunk = list[tuple[int, bytes]]

CHUNK = 2_000
SMALLEST_SEQ = -(2**63)


class VerificationError(RuntimeError):
    """The verification could not run; the text says why."""


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
    all_heads = scan.logs(conn)
    heads = [head for head in all_heads if only in (None, head.name)]
    origin = scan.origin(conn)
    if origin is None or not heads:
        raise VerificationError(_nothing(only))
    check = ProjectionCheck(conn, all_heads) if projections else None
    logs = [_verify_log(conn, origin, head, check, progress) for head in heads]
    logs = restores.with_losses(logs, scan.continuations(conn), {head.name for head in all_heads}, only)
    if only is None:
        logs.extend(_across(conn, check))
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
    found = Findings(head.name)
    chain = Chain(origin, found)
    if check:
        check.begin(head)
    read = 0
    for chunk in _chunks(conn, head):
        chain.follow(chunk)
        if check:
            check.chunk(chunk)
        read += len(chunk)
        progress(head.name, read, head.size)
    _end(conn, head, chain, found)
    rows = check.end() if check else Findings(head.name)
    rows.found[:0] = found.found
    unknown = check.unknown_kinds if check else []
    root = chain.last_hash.hex()
    return LogReport(head.name, read, root, rows.in_order(), unknown, found.more + rows.more)


def _chunks(conn: Connected, head: scan.LogHead) -> Iterator[Chunk]:
    """Yield a log's entries below its head's size; the next ones are fetched while some are looked at."""
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(_fetch, conn, head, SMALLEST_SEQ)
        while chunk := coming.result():
            coming = ahead.submit(_fetch, conn, head, chunk[-1][0] + 1)
            yield chunk


def _fetch(conn: Connected, head: scan.LogHead, begin: int) -> Chunk:
    """Fetch the next entries from a seq on; where there are none, those behind the hole."""
    behind = min(begin + CHUNK, head.size)
    chunk = scan.entries(conn, head.log_id, range(begin, behind))
    if chunk or behind == head.size:
        return chunk
    following = scan.next_seq(conn, head.log_id, behind)
    if following is None or following >= head.size:
        return []
    return scan.entries(conn, head.log_id, range(following, min(following + CHUNK, head.size)))


def _end(conn: Connected, head: scan.LogHead, chain: Chain, found: Findings) -> None:
    if not head.has_head:
        found.note(0, "its head is missing")
        return
    chain.end(head.size, head.last_hash, head.last_at)
    # In this order: what is appended between the two looks makes the head larger, never the last seq.
    last = scan.last_seq(conn, head.log_id)
    size = scan.size_now(conn, head.log_id)
    if last >= size:
        found.note(size, f"the head counts {size} entries, but seq {last} is stored")


def _across(conn: Connected, check: ProjectionCheck | None) -> list[LogReport]:
    """What no single log can tell: entries without a log, rows without an entry, tables that disagree."""
    found = Findings("(tables)")
    for what in crosschecks.logs(conn):
        found.note(0, what)
    if check:
        check.across(found)
    return [LogReport(found.log, 0, "", found.found, [], found.more)] if found.found else []
