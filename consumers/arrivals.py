"""Turns the batches that follow on what is stored into records ready to be read, each hole counted."""

from collections.abc import Iterable

from consumers.decoder import Batch, Fault
from reviewsvc.domain.event_faults import Fault as EventFault
from reviewsvc.domain.event_faults import FaultCode
from reviewsvc.usecases.intake import Arrived

_US_PER_MS = 1000


def arrivals(batches: Iterable[Batch | Fault], next_offset: int) -> list[Arrived]:
    """List the records from `next_offset` on; offsets of markers and aborted records go into `skipped`.

    A batch that is intact but cannot be decoded becomes one record, its bytes the value. What is skipped
    behind the last record is told by the offset that the caller stores.
    """
    found: list[Arrived] = []
    add = found.append
    expected = next_offset
    for batch in batches:
        if isinstance(batch, Fault):
            add(_undecodable(batch, expected))
            expected = batch.last_offset + 1
            continue
        for offset, at_ms, key, value, headers in batch.records:
            add(Arrived(offset, offset - expected, at_ms * _US_PER_MS, key, headers, value))
            expected = offset + 1
    return found


def _undecodable(batch: Fault, expected: int) -> Arrived:
    first = max(batch.base_offset, expected)
    fault = EventFault(
        FaultCode.UNDECODABLE, expected="a record batch that decodes", got="a batch whose records do not"
    )
    count = batch.last_offset - first + 1
    return Arrived(first, first - expected, 0, None, (), batch.raw, fault, count)
