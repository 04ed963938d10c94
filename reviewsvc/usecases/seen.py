"""When people were last here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from reviewsvc.db import people
from reviewsvc.db.sessions import Sessions


def last_seen(sessions: Sessions, person_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when these people were last here, as far as sessions are kept."""
    with sessions.begin() as session:
        return people.last_seen(session, list(person_ids))
