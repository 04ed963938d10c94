"""Whether batches follow on what is stored: judged on whole batches, since markers make lawful holes."""

from collections.abc import Iterable
from typing import NamedTuple

from consumers.decoder import Batch, Fault


class Followed(NamedTuple):
    """The batches that follow without a hole, where they end, and the offset that did not follow, if any.

    `raised_epoch` is the first leader epoch above the known one: before its batch is stored, the last
    stored record must be read again and compared.
    """

    batches: list[Batch | Fault]
    next_offset: int
    jumped_to: int | None
    raised_epoch: int | None


def follow(next_offset: int, known_epoch: int, batches: Iterable[Batch | Fault]) -> Followed:
    """Keep the batches from `next_offset` on, in order, up to the first that leaves a hole.

    Batches wholly below it are dropped; the first kept may begin below it (the decoder left its older
    records out), every other begins where the one before ended. A batch that cannot be trusted ends it.
    """
    kept: list[Batch | Fault] = []
    raised = None
    for batch in batches:
        if batch.last_offset < next_offset:
            continue
        begins_right = batch.base_offset == next_offset or (not kept and batch.base_offset < next_offset)
        if not begins_right:
            return Followed(kept, next_offset, batch.base_offset, raised)
        if isinstance(batch, Fault) and not batch.crc_ok:
            break
        if raised is None and batch.leader_epoch > known_epoch:
            raised = batch.leader_epoch
        kept.append(batch)
        next_offset = batch.last_offset + 1
    return Followed(kept, next_offset, None, raised)
