"""Advisory locks that are held beside transactions, as long as a block lasts or its connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from reviewsvc.db.hot.connection import Connected

_PUBLISHING: Final = 7205


@contextmanager
def publishing(conn: Connected, place: str) -> Iterator[bool]:
    """Keep others of this database from publishing to a place; False if somebody does already."""
    named = (_PUBLISHING, place)
    row = conn.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", named).fetchone()
    held = bool(row and row[0])
    try:
        yield held
    finally:
        if held and not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", named)
