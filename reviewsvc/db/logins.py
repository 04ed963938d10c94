"""Log-ins of the service's processes: each a member of its own group, and of nothing else."""

from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

from reviewsvc.db.schema import GROUPS

PROCESSES = tuple(group for group in GROUPS if group not in {"owner", "maint"})
_KNOWN = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = %s"


class LoginError(ValueError):
    """A log-in cannot be made as asked; the text says what to give."""


def make(owner_url: str, login: str, password: str, groups: Iterable[str]) -> str:
    """Make a log-in that may take the roles of these groups, or give it this password; return its URL.

    The password leaves this process only as a SCRAM verifier, so that no server log shows it.
    """
    for group in groups:
        if group not in PROCESSES:
            raise LoginError(f"there is no process {group}; give one of {', '.join(PROCESSES)}")
    name = sql.Identifier(login)
    with psycopg.connect(owner_url) as session:
        verifier = session.pgconn.encrypt_password(
            password.encode(), login.encode(), b"scram-sha-256"
        ).decode()
        known = session.execute(_KNOWN, [login]).fetchone()
        if known and known[0]:
            raise LoginError(f"{login} may do more than a process may: name another log-in, or drop it first")
        verb = sql.SQL("ALTER ROLE" if known else "CREATE ROLE")
        # Who is no superuser may not even say that another is none.
        act = sql.SQL("{} {} LOGIN NOINHERIT PASSWORD {}")
        session.execute(act.format(verb, name, sql.Literal(verifier)))
        for group in groups:
            session.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(f"reviewsvc_{group}"), name))
    return _as(owner_url, login, password)


def make_from_url(owner_url: str, url: str, group: str) -> None:
    """Make the log-in that a process's URL names, with the password that stands in it."""
    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise LoginError(
            f"the URL for {group} must hold a user and a password: postgresql://USER:PASSWORD@HOST/…"
        )
    make(owner_url, unquote(parts.username), unquote(parts.password), [group])


def join(owner_url: str, url: str, groups: Iterable[str]) -> None:
    """Let the existing log-in that a URL names take the roles of these groups; nothing else of it changes."""
    login = unquote(urlsplit(url).username or "")
    with psycopg.connect(owner_url) as session:
        if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone() is None:
            raise LoginError(f"the database has no log-in {login!r}: create it, or leave DATABASE_URL unset")
        for group in groups:
            grant = sql.SQL("GRANT {} TO {}").format(
                sql.Identifier(f"reviewsvc_{group}"), sql.Identifier(login)
            )
            session.execute(grant)


def _as(owner_url: str, login: str, password: str) -> str:
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(login, safe='')}:{quote(password, safe='')}@{place}").geturl()
