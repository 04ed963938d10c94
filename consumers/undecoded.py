"""Keeps kafka-python from decoding: what a fetch answered goes to our decoder as bytes, in whole batches."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kafka import TopicPartition

from consumers.decoder import Decoder, frames, is_cut


class Chunk(NamedTuple):
    """Whole batches of one answer, not yet decoded; `next_offset` is what follows the last."""

    partition: TopicPartition
    raw: memoryview
    decoder: Decoder
    from_offset: int
    next_offset: int


class Undecoded:
    """Stands where kafka-python decodes the answer for one partition: hands out its bytes, batch by batch."""

    def __init__(
        self,
        spend: Callable[[int], bool],
        fetch_offset: int,
        tp: TopicPartition,
        records: Any,  # noqa: ANN401 - kafka-python ships no types
        *,
        aborted_transactions: Iterable[Any] | None,
        on_drain: Callable[["Undecoded"], None],
        **_unused: object,
    ) -> None:
        self.topic_partition = tp
        self.next_fetch_offset = fetch_offset
        self.leader_epoch = -1
        self.bytes_read = 0
        self._spend = spend
        self._raw = memoryview(records._buffer or b"")  # noqa: SLF001 - MemoryRecords shows its bytes nowhere else
        self._decoder = Decoder((each.producer_id, each.first_offset) for each in aborted_transactions or ())
        self._on_drain = on_drain
        self._open = True
        self._began = False

    def __bool__(self) -> bool:
        return self._open

    def drain(self) -> None:
        """Forget what is left; kafka-python calls it when the partition went elsewhere."""
        if self._open:
            self._open = False
            self._raw = memoryview(b"")
            self._on_drain(self)

    def take(self, _number: int | None = None) -> list[Chunk]:
        """Cut off whole batches until the poll's budget of records is used up: one chunk, or none."""
        # An exception in here would make every later poll spin for ever (it is kafka-python's loop).
        start, end, rest = self.next_fetch_offset, 0, self._raw
        for frame in frames(self._raw):
            end = frame.end
            self.next_fetch_offset = frame.last_offset + 1
            self.leader_epoch = frame.leader_epoch
            if self._spend(frame.records):
                rest = self._raw[end:]
                break
        else:
            # A batch cut by the answer's end comes whole with the next one; all else is the decoder's.
            if not (self._began or end) or not is_cut(self._raw, end):
                end = len(self._raw)
            rest = memoryview(b"")
        chunk = Chunk(self.topic_partition, self._raw[:end], self._decoder, start, self.next_fetch_offset)
        self._raw = rest
        self._began = True
        self.bytes_read += end
        if not rest:
            self.drain()
        return [chunk] if end else []
