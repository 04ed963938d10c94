"""Who takes entries out of the house, and whose payloads they may disclose."""

from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.permissions import PermissionDeniedError, Reach, may, reach
from reviewsvc.usecases.people import get_by_login


def exporter_reach(sessions: Sessions, login: str) -> Reach:
    """Return whose payloads this person may disclose in a bundle.

    Raises PersonMissingError, and PermissionDeniedError for one who may not export entries.
    """
    known = get_by_login(sessions, login)
    if known.person.disabled_at is not None or not may(known.grants, "entries.export"):
        raise PermissionDeniedError(f"{login} may not export entries (entries.export on *).")
    return reach(known.grants, "payloads.open")
