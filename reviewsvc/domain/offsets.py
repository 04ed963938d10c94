"""Follows a captured partition's offsets through its log: every hole must be explained."""

from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Src
from reviewsvc.domain.verdict import Findings


class Offsets:
    """Where the partition's next record must lie, and of which topic it must be."""

    def __init__(self, log: str, findings: Findings) -> None:
        self._findings = findings
        # A log whose name somebody changed is told of where logs are compared with their names.
        _, self._topic, partition, *_ = [*log.split("/"), "", ""]
        self._partition = int(partition) if partition.isdecimal() else -1
        self._topic_id: str | None = None
        self._end: int | None = 0

    def resume(self, src: Src | None, said: f.Facts | None) -> bool:
        """Take up the entry before the first one to follow; False if it does not say where it left off."""
        match said:
            case f.Opened() | f.Gap() | f.Continuation():
                self.follow(0, src, said)
            case _ if src is not None:
                self._topic_id, self._end = src.topic_id, src.offset - src.skipped
                self.follow(0, src, said)
            case _:
                return False
        return True

    def follow(self, seq: int, src: Src | None, said: f.Facts | None) -> None:
        """Take up the next entry; one of an unknown kind has no facts, and need not come from Kafka."""
        match said:
            case f.Opened():
                self._topic_id, self._end = said.topic_id, said.first_offset or 0
            case f.Continuation():
                self._topic_id, self._end = said.topic_id, said.next_offset
            case f.Gap():
                self._topic_id, self._end = said.topic_id, said.to_offset
            case None if src is None:
                return
            case _:
                self._check(seq, src)
                if src is not None:
                    self._end = src.offset + (said.offsets if isinstance(said, f.Quarantine) else 1)

    def end(self, next_offset: int | None, topic_id: str | None) -> None:
        """Compare with what the head says."""
        if self._end is None:
            return
        if next_offset is None or next_offset < self._end:
            self._findings.note(0, f"the head goes on at offset {next_offset}, before {self._end}")
        if topic_id != self._topic_id:
            self._findings.note(0, f"the head carries topic id {topic_id}, the entries {self._topic_id}")

    def _check(self, seq: int, src: Src | None) -> None:
        if src is None or (src.topic, src.partition) != (self._topic, self._partition):
            self._findings.note(seq, "it does not come from the partition of its log")
        elif self._end is None:
            # The log before was lost as a whole, and with it where the topic was read up to.
            self._topic_id = src.topic_id
        elif src.topic_id != self._topic_id:
            self._findings.note(seq, "it comes from a topic of another id than the entries before")
        elif src.offset - src.skipped != self._end:
            told = f"its offset is {src.offset}, {src.skipped} passed over, but {self._end} comes next"
            self._findings.note(seq, told)
