"""Looks at the counts of a running service, again and again, also when the database was away."""

from types import TracebackType
from typing import NamedTuple, Self

import psycopg

from reviewsvc.db.hot import tallies
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.hot.tallies import Size, Tally


class Seen(NamedTuple):
    """The counts of one moment."""

    tally: Tally
    sizes: list[Size]


class Lookout:
    """Reads counts over one connection of its own, which is made anew after it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connected | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def look(self) -> Seen | None:
        """Count what there is; None while the database cannot be asked."""
        try:
            self._conn = self._conn or connect(self._url, "read", connect_timeout=5)
            return Seen(tallies.tally(self._conn), tallies.sizes(self._conn))
        except psycopg.OperationalError:
            self._drop()
            return None

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()
