"""Captured partitions, and operators' consents to go on behind offsets that cannot be had any more."""

from datetime import datetime

from reviewsvc.db import captured
from reviewsvc.db.captured import Captured
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor, Ref
from reviewsvc.domain.facts import GapConsented
from reviewsvc.domain.moments import microseconds
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring

__all__ = ["Captured", "PartitionMissingError", "UnalarmedError", "consent", "partitions"]


class PartitionMissingError(LookupError):
    """No such partition was ever captured."""


class UnalarmedError(LookupError):
    """No alarm stands on the partition: there is nothing to consent to."""


def partitions(sessions: Sessions) -> list[Captured]:
    """Return every captured partition: where it stands, and the alarm that stopped it, if one did."""
    with sessions.begin() as session:
        return captured.partitions(session)


def consent(
    sessions: Sessions,
    keyring: Keyring,
    topic: str,
    partition: int,
    *,
    to_offset: int | None,
    actor: Actor,
    at: datetime,
) -> Captured:
    """Let capture go on behind the gap that stopped a partition, from an offset or where Kafka goes on.

    Capture itself writes the `gap` entry when it takes this up. Raises PartitionMissingError, UnalarmedError.
    """
    with sessions.begin() as session:
        found = captured.partitions(session, topic, partition)
        if not found:
            raise PartitionMissingError(
                f"partition {partition} of topic {topic} was never captured: `reviewsvc capture` lists those "
                "that were"
            )
        stopped = found[-1]
        if not captured.lock_alarm(session, stopped.log_id):
            raise UnalarmedError(
                f"partition {partition} of topic {topic} is not stopped: there is no gap to accept"
            )
        by = f"{actor.kind}:{actor.id}"
        said = {"by": by, "at": microseconds(at), "to_offset": to_offset}
        captured.consent(session, stopped.log_id, said)
        facts = GapConsented(stopped.log, stopped.next_offset, to_offset)
        ref = Ref(stopped.log, stopped.size - 1)
        told = Said("gap_consented", facts, about=stopped.log, ref=ref)
        record(session, keyring, [told], actor=actor, at=at)
        return captured.partitions(session, topic, partition)[-1]
