"""Goes on behind offsets that cannot be had any more, once an operator has consented to it."""

import time

from kafka import TopicPartition
from msgspec import Raw

from consumers import alarms
from consumers.held import AlarmError, Held, Kind
from consumers.partitions import Claims, Extent
from reviewsvc import telemetry
from reviewsvc.db.hot import batches, places
from reviewsvc.db.hot.batches import LogRows
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.entries import Entry, encode, encode_facts, leaf_hash
from reviewsvc.domain.facts import Gap
from reviewsvc.usecases.rules import Rules

_log = telemetry.logger("capture")


class ConsentError(Exception):
    """A consent that must not be followed; the text says why."""


def accepted(
    conn: Connected, claims: Claims, rules: Rules, partition: TopicPartition, fault: AlarmError
) -> Held | None:
    """Follow the consent to an alarm, if there is one that holds: the partition as it goes on behind the gap.

    Raises FencedError or StaleRulesError with nothing written, KafkaError if the brokers cannot be asked.
    """
    alarm = places.alarm(conn, fault.held.head.log_id)
    if alarm is None:
        # The database was away when it was to be raised.
        alarms.report(conn, partition, fault, fault)
        return None
    if not alarm.consent or "refused" in alarm.consent:
        return None
    try:
        to_offset = _place_behind(fault, claims.extent(partition), alarm)
    except ConsentError as refusal:
        _log.error("consent refused", log=fault.held.head.name, reason=str(refusal))
        places.refuse_consent(conn, fault.held.head.log_id, str(refusal))
        return None
    topic_id = fault.detail["now"] if fault.kind is Kind.RECREATED else fault.held.head.topic_id
    return _written(conn, rules, fault, alarm, (topic_id, to_offset))


def _place_behind(fault: AlarmError, extent: Extent, alarm: places.Alarm) -> int:
    """The offset to go on from: what the operator named, else where Kafka goes on."""
    begin, end = extent
    held, named = fault.held, (alarm.consent or {}).get("to_offset")
    if named is None:
        return min(max(_due(fault, begin), begin), end)
    to_offset = int(named)
    if not begin <= to_offset <= end:
        raise ConsentError(f"offset {to_offset} is not in the topic, which holds {begin} to {end}")
    if fault.kind in {Kind.JUMP, Kind.UNREADABLE} and to_offset < held.head.next_offset:
        raise ConsentError(
            f"all before offset {held.head.next_offset} is captured; it would be a second time"
        )
    return to_offset


def _due(fault: AlarmError, begin: int) -> int:
    """Where the first record lies that was not captured, as far as anyone can tell."""
    if fault.kind is Kind.RECREATED:
        return begin
    if fault.kind is Kind.JUMP:
        return int(fault.detail["jumped_to"])
    # A topic that was cut short goes on where it ended then, however far it has grown since.
    return min(fault.held.next_offset, int(fault.detail.get("end", fault.held.next_offset)))


def _written(
    conn: Connected, rules: Rules, fault: AlarmError, alarm: places.Alarm, at: tuple[str, int]
) -> Held:
    """Write the `gap` entry, move the head behind the gap and end the alarm, in one transaction."""
    head, (topic_id, to_offset) = fault.held.head, at
    by = str((alarm.consent or {}).get("by", "unknown"))
    said = Gap(alarm.reason, fault.held.entry_end, to_offset, topic_id, by)
    clock = max(time.time_ns() // 1000, head.last_at)
    log = f"{rules.origin}/{head.name}"
    body = encode(Entry(1, log, head.size, head.last_hash.hex(), clock, "gap", facts=Raw(encode_facts(said))))
    after = head._replace(
        size=head.size + 1,
        last_hash=leaf_hash(body),
        last_at=clock,
        next_offset=to_offset,
        topic_id=topic_id,
    )
    with conn.transaction():
        batches.write(
            conn, rules.generation, [LogRows(head, after, entries=[(head.log_id, head.size, body)])]
        )
        places.end_alarm(conn, head.log_id)
    _log.warning("gap accepted", log=head.name, from_offset=said.from_offset, to_offset=to_offset)
    return Held(after, to_offset, to_offset)
