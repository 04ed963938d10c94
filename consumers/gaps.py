"""Goes on behind offsets that cannot be had any more, once an operator has consented to it."""

import time

from msgspec import Raw

from consumers.partitions import Held
from reviewsvc.db.hot import batches, places
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.entries import Entry, encode, encode_facts, leaf_hash
from reviewsvc.domain.facts import Gap


def accepted(
    conn: Connected, generation: int, held: Held, alarm: places.Alarm, *, origin: str, at: tuple[str, int]
) -> Held:
    """Write the `gap` entry, move the head behind the gap, end the alarm; `at` is (topic id, offset)."""
    head = held.head
    topic_id, to_offset = at
    by = str((alarm.consent or {}).get("by", "unknown"))
    said = Gap(alarm.reason, held.entry_end, to_offset, topic_id, by)
    clock = max(time.time_ns() // 1000, head.last_at)
    log = f"{origin}/{head.name}"
    body = encode(Entry(1, log, head.size, head.last_hash.hex(), clock, "gap", facts=Raw(encode_facts(said))))
    after = head._replace(
        size=head.size + 1,
        last_hash=leaf_hash(body),
        last_at=clock,
        next_offset=to_offset,
        topic_id=topic_id,
    )
    batches.write(conn, generation, [LogRows(head, after, entries=[(head.log_id, head.size, body)])])
    places.end_alarm(conn, head.log_id)
    return Held(after, to_offset, to_offset)
