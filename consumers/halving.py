"""What becomes of a batch that failed: gone back from, or written in halves until one record is to blame."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import psycopg

from consumers.assembly import Work
from consumers.assigned import Assigned, Parts
from reviewsvc import telemetry
from reviewsvc.db.hot import batches
from reviewsvc.db.hot.batches import FencedError, StaleRulesError

MOVED: Final = (FencedError, StaleRulesError)
# Only these blame a record.
UNFIT: Final = (psycopg.DataError, ValueError, OverflowError, struct.error)
# Out of memory, over a limit of the server, cancelled: less at once may pass.
_TOO_MUCH = ("53200", "54", "57014")
_log = telemetry.logger("capture")


def is_divisible(fault: Exception) -> bool:
    """Say whether a part of the batch may pass where the whole did not."""
    if isinstance(fault, psycopg.Error):
        return isinstance(fault, psycopg.DataError) or (fault.sqlstate or "").startswith(_TOO_MUCH)
    return isinstance(fault, UNFIT)


def undo(parts: Parts, assigned: Assigned, fault: Exception) -> None:
    """Go back to the durable heads, under the rules that stand now."""
    if isinstance(fault, StaleRulesError):
        parts.assembly.reload()
    assigned.go_back()


def write_apart(parts: Parts, assigned: Assigned, works: Sequence[Work], fault: Exception) -> None:
    """Write what failed as a whole in parts; nothing is on its way, and reading goes on behind them."""
    _log.warning("batch refused, written in parts", reason=type(fault).__name__)
    assigned.go_back()
    try:
        for work in works:
            held = assigned.held.get(work.partition)
            if held is not None and held.head == work.head:
                _write(parts, assigned, work)
    except MOVED as moved:
        undo(parts, assigned, moved)
    else:
        assigned.go_back()


def _write(parts: Parts, assigned: Assigned, work: Work) -> None:
    """Write it, or halves of halves, until the one record is found that the database refuses, and kept."""
    held = assigned.held[work.partition]
    work = replace(work, head=held.head)
    try:
        rows = parts.assembly.build([work])
        batches.write(parts.writer.conn, parts.assembly.rules.generation, rows)
    except (psycopg.Error, *UNFIT) as fault:
        smaller = _smaller(work, fault)
        if not smaller:
            raise
    else:
        held.head = rows[0].after
        return
    for each in smaller:
        _write(parts, assigned, each)


def _smaller(work: Work, fault: Exception) -> list[Work]:
    """What to try instead; nothing if the record is not to blame, or was refused as quarantine too."""
    if not is_divisible(fault):
        return []
    if len(work.arrived) > 1:
        return work.halves()
    is_new = isinstance(fault, UNFIT) and bool(work.arrived) and work.arrived[0].fault is None
    return [work.refused()] if is_new else []
