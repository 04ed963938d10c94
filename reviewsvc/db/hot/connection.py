"""Opens a connection that acts as one of the service's groups, and as nothing more."""

from typing import Any, TypeAlias

import psycopg

Connected: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_FORBIDDEN = (
    "SELECT rolsuper OR pg_has_role(session_user, 'reviewsvc_owner', 'MEMBER') "
    "FROM pg_roles WHERE rolname = session_user"
)


# A peer that vanished without a word is noticed within half a minute.
_PATIENCE = {"connect_timeout": 10, "keepalives_idle": 10, "tcp_user_timeout": 30_000}


class RoleError(RuntimeError):
    """The log-in may do more than a process of the service should, or is not in its group."""


def connect(url: str, group: str, **options: Any) -> Connected:  # noqa: ANN401 - passed to psycopg as they are
    """Connect, refuse an owner or superuser, and take the group's role (`capture`, `worker`, …)."""
    named = {"application_name": f"reviewsvc-{group}"}
    conn = psycopg.connect(url, autocommit=True, **_PATIENCE | named | options)
    try:
        become(conn, group)
    except BaseException:
        conn.close()
        raise
    return conn


def become(conn: psycopg.Connection[Any], group: str) -> None:
    """Take the group's role on an open connection; RoleError if the log-in is an owner or not a member."""
    row = conn.execute(_FORBIDDEN).fetchone()
    if row is None or row[0]:
        raise RoleError(
            "this process logs in as an owner or superuser of the database; give it a log-in of its own "
            f"that is only a member of reviewsvc_{group}, in DATABASE_URL"
        )
    try:
        # Whoever owns the database can let a log-in find functions of his own before PostgreSQL's.
        conn.execute(f"SET ROLE reviewsvc_{group}; SET search_path = pg_catalog, public")
    except psycopg.errors.InsufficientPrivilege as fault:
        raise RoleError(
            f"the database log-in is no member of reviewsvc_{group}: "
            f"GRANT reviewsvc_{group} TO it as the database's owner"
        ) from fault
