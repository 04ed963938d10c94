"""Opens the installation: what every process does first, and the first one does for all."""

import zlib
from datetime import datetime
from typing import Final, NamedTuple

from reviewsvc.db import installations, logs
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.facts import Key
from reviewsvc.domain.moments import microseconds
from reviewsvc.usecases import guarding
from reviewsvc.usecases.keyring import Keyring

PURPOSES: Final = ("prediction", "subject", "sampling/1", "login")
ACTIVITY_LOGS: Final = 4
_READS: Final = "read"
_READERS: Final = ("relay", _READS)
_WHY: Final = "first start"


class OriginError(ValueError):
    """The settings name another origin than the one that this database's logs carry."""


class NotInstalledError(LookupError):
    """No process that may open the installation has started yet."""


class Installation(NamedTuple):
    """What stays the same for a process: the origin, and the logs that every installation has."""

    origin: str
    opened_at: datetime
    activity_log_ids: tuple[int, ...]
    root_log_id: int

    def activity_log_for(self, text: str) -> int:
        """Choose the activity log for acts that belong to no case: by the model's name, else by the actor."""
        return self.activity_log_ids[zlib.crc32(text.encode()) % len(self.activity_log_ids)]


def open_installation(
    sessions: Sessions, keyring: Keyring, origin: str, at: datetime, *, activity_logs: int = ACTIVITY_LOGS
) -> Installation:
    """Return the installation, made by whichever process comes first: keys, logs, months of payloads.

    Raises OriginError if the origin is not the one of the first start, NotInstalledError if this process
    is the first and may not write; RestoredError and UnconfirmedError where nobody may write before somebody
    has looked, see `guarding`.
    """
    with sessions.begin() as session:
        if sessions.role != _READS:
            guarding.check(session)
        if installations.get(session) is None:
            _check_may_open(sessions.role)
            installations.lock(session)
            if installations.get(session) is None:
                _make(session, keyring, origin, at, activity_logs)
        installations.ensure_months(session, at)
        return _found(session, origin)


def _check_may_open(role: str) -> None:
    if role in _READERS:
        raise NotInstalledError("Nothing is installed in this database yet: start `web` or `worker` first.")


def _make(session: Session, keyring: Keyring, origin: str, at: datetime, activity_logs: int) -> None:
    clock = microseconds(at)
    installations.add(session, origin=origin, opened_at=at, activity_logs=activity_logs)
    logs.create(session, "root", clock=clock, why=_WHY)
    made = [logs.create(session, "activity", shard, clock=clock, why=_WHY) for shard in range(activity_logs)]
    heads = logs.lock_heads(session, made[:1])
    for purpose in PURPOSES:
        commit = keyring.make_hash_key(session, purpose)
        logs.append(session, heads[made[0]], "key_made", Key(purpose, commit.hex()), clock=clock)
    logs.save_heads(session, heads)


def _found(session: Session, origin: str) -> Installation:
    row = installations.get(session)
    assert row is not None
    if row.origin != origin:
        raise OriginError(
            f"this database's logs begin with {row.origin}, not {origin}: set REVIEWSVC_ORIGIN={row.origin}"
        )
    activity = installations.newest_logs(session, "activity")
    (root,) = installations.newest_logs(session, "root")
    return Installation(row.origin, row.opened_at, tuple(activity), root)
