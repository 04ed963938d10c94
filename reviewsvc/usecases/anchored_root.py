"""The root that what leaves the house stands on: one that witnesses cosigned, if there is a recent one."""

from collections.abc import Iterator
from typing import Final

from reviewsvc.db.hot import anchored, seals
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import SealedLog

_RECENT_US: Final = 600_000_000


def roots(conn: Connected, newest: SealedLog) -> Iterator[SealedLog]:
    """Yield the root log as what leaves may stand on it: first as far as enough witnesses cosigned it.

    That is left out if what was signed since is older than ten minutes: then anchoring is in trouble.
    """
    found = anchored.cosigned_root(conn, newest.log_id, newest.size)
    last = seals.checkpoint(conn, newest.log_id, newest.size)
    if found is not None and last is not None and last.at - found.at <= _RECENT_US:
        yield with_cosignatures(conn, newest._replace(size=found.size, root=found.root, note=found.note))
    if found is None or found.size < newest.size:
        yield with_cosignatures(conn, newest)


def with_cosignatures(conn: Connected, root: SealedLog) -> SealedLog:
    """Return a root log with the witnesses' signatures below its note."""
    return root._replace(note="".join([root.note, *anchored.lines(conn, root.log_id, root.size)]))
