"""Holds the checkpoints in their topic against this database: what left the house tells of what is lost."""

from datetime import UTC, datetime
from typing import Final

from consumers import snapshot
from consumers.broker import TopicError
from consumers.relay_log import Means
from consumers.snapshot import SnapshotError
from reviewsvc import telemetry
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.guards import RestoredError
from reviewsvc.usecases import own_notes

# More than are sent while an anchor or a person looks away, and few enough to be read at each start.
_LOOKED_AT: Final = 200
_log = telemetry.logger("relay")


def check(means: Means, topic: str) -> None:
    """Raise RestoredError, after telling every writer, if the topic has more of our root log, or another.

    Only a checkpoint that a key of this house signed counts. A topic that cannot be read is told, no more.
    """
    try:
        found = snapshot.read_last(means.kafka, topic, _LOOKED_AT)
    except (TopicError, SnapshotError) as fault:
        _log.warning("the topic of checkpoints could not be asked what it has", reason=str(fault))
        return
    notes = [each.value for each in found if each.value]
    lost = own_notes.lost(means.connection, notes)
    if lost is None:
        return
    told = f"this database holds less than was signed of it: {lost.told}, as the topic {topic} shows"
    guards.confirm(means.connection, datetime.now(UTC), told, [lost.note.decode()])
    raise RestoredError(f"{told}. Nothing is written any more: run `reviewsvc restore adopt`")
