"""Alarms where operators look for them: the table, the log line; and consents to go on behind a gap."""

from typing import Any

from kafka import TopicPartition

from consumers.held import AlarmError, Held, Kind
from reviewsvc import telemetry
from reviewsvc.db.hot import places
from reviewsvc.db.hot.connection import Connected

_log = telemetry.logger("capture")
_OF_THE_PLACE = {"topic", "partition", "kind", "next_offset"}


def report(conn: Connected, partition: TopicPartition, fault: AlarmError, before: AlarmError | None) -> None:
    """Raise the alarm; the log says it once, the table keeps since when, and a consent given to it."""
    head = fault.held.head
    if not fault.is_of(before):
        _log.error("partition stopped", reason=fault.reason, log=head.name, **fault.detail)
    place = {"topic": partition.topic, "partition": partition.partition, "kind": str(fault.kind)}
    places.raise_alarm(
        conn, head.log_id, fault.reason, {**place, **fault.detail, "next_offset": fault.held.head.next_offset}
    )


def standing(conn: Connected, held: Held) -> AlarmError | None:
    """The alarm that an earlier owner of the partition raised and nobody has ended, if there is one."""
    alarm = places.alarm(conn, held.head.log_id)
    if alarm is None:
        return None
    detail: dict[str, Any] = {
        name: value for name, value in alarm.detail.items() if name not in _OF_THE_PLACE
    }
    kind = alarm.detail.get("kind", Kind.UNREADABLE)
    return AlarmError(Kind(kind), alarm.reason, held, **detail)


def end(conn: Connected, fault: AlarmError) -> None:
    """Take an alarm back, since the partition goes on."""
    places.end_alarm(conn, fault.held.head.log_id)
    _log.info("partition goes on", log=fault.held.head.name, after=fault.reason)
