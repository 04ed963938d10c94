"""Transactions, each under the database role of the process that it serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from psycopg import Connection, errors
from sqlalchemy.orm import Session, sessionmaker

from reviewsvc.db.hot.connection import RoleError, become

ROLES: Final = ("capture", "relay", "web", "worker", "read")
__all__ = ["ROLES", "Limits", "RoleError", "Session", "Sessions"]


class Limits(NamedTuple):
    """How long a statement may run, wait for a lock, and leave its transaction idle; milliseconds."""

    statement_ms: int = 30_000
    lock_ms: int = 10_000
    idle_ms: int = 60_000


class Sessions:
    """Makes transactions on pooled connections, each of which has become `reviewsvc_<role>`.

    A log-in that is a superuser or may become the tables' owner is refused with RoleError: a process that
    can change entries proves nothing by not having done it.
    """

    def __init__(self, url: str, role: str, *, size: int = 10, limits: Limits | None = None) -> None:
        if role not in ROLES:
            raise RoleError(f"there is no role {role}; take one of {', '.join(ROLES)}")
        self.role = role
        self._limits = limits or Limits()
        self._engine = sa.create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=size,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
            pool_timeout=10,
            connect_args={"application_name": f"reviewsvc {role}", "connect_timeout": 10},
        )
        sa.event.listen(self._engine, "connect", self._become)
        self._make = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Run a block as one transaction: committed on return, rolled back on an exception."""
        with self._make.begin() as session:
            yield session

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Give a connection of its own that is in no transaction: each statement counts at once."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    @staticmethod
    def psycopg(session: Session) -> Connection[Any]:
        """Return the psycopg connection under a session, inside the same transaction."""
        raw = session.connection().connection.driver_connection
        assert isinstance(raw, Connection)
        return raw

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    def _become(self, connection: Connection[Any], _record: object) -> None:
        try:
            become(connection, self.role)
        except errors.UndefinedObject as error:
            raise RoleError("the database has no roles of ours yet: run `reviewsvc db upgrade`") from error
        connection.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', %s, false),"
            " set_config('timezone', 'UTC', false)",
            [str(limit) for limit in self._limits],
        )
        connection.commit()
