"""A PostgreSQL server on this machine, as a child of this process."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from reviewsvc.local import tether
from reviewsvc.local.cluster import Cluster, PostgresFailedError
from reviewsvc.local.folders import last_lines, locked
from reviewsvc.local.pgbinaries import binaries_for, find_binaries
from reviewsvc.local.ports import HOST, free_ports

SUPERUSER = "postgres"
START_SECONDS = 60
ATTEMPTS = 3


@dataclass(frozen=True)
class Postgres:
    """A running server and the addresses of its databases."""

    port: int
    password: str
    database: str
    process: subprocess.Popen[bytes]

    @property
    def owner_url(self) -> str:
        """The superuser's address of the database that was made at the start."""
        return self.url()

    def url(self, *, user: str = SUPERUSER, password: str | None = None, database: str | None = None) -> str:
        """Return an address of this server for a login and a database."""
        return (
            f"postgresql://{user}:{password or self.password}@{HOST}:{self.port}/{database or self.database}"
        )

    def stop(self) -> None:
        """Stop it by a fast shutdown: clients are cut off, everything committed is on disk."""
        tether.stop(self.process, how=(signal.SIGINT, signal.SIGQUIT))

    @staticmethod
    @contextmanager
    def start(
        folder: Path, *, settings: Mapping[str, str | int] | None = None, database: str = "reviewsvc"
    ) -> Iterator["Postgres"]:
        """Run a server on the data in `folder` (made if new) until the block ends; `settings` override.

        Without a port in them it listens on a free one.
        Raises PostgresMissingError or PostgresFailedError, whose text says what to do.
        """
        with ExitStack() as ends:
            yield _start(ends, folder, {**_defaults(), **(settings or {})}, database)


def _start(ends: ExitStack, folder: Path, settings: Mapping[str, str | int], database: str) -> Postgres:
    try:
        cluster = Cluster.at(folder)
        programs = binaries_for(cluster.user, find_binaries())
        ends.enter_context(locked(cluster.folder))
        cluster.create(programs)
        cluster.await_predecessor()
        server = _launch(ends, cluster, programs, settings, database)
    except PermissionError as error:
        raise PostgresFailedError(
            f"{error.filename} belongs to another user: run as that user, or choose another folder"
        ) from error
    _make_database(server)
    return server


def _launch(
    ends: ExitStack, cluster: Cluster, programs: Path, settings: Mapping[str, str | int], database: str
) -> Postgres:
    for _ in range(ATTEMPTS):
        port = int(settings.get("port", 0)) or free_ports(1)[0]
        server = Postgres(port, cluster.password(), database, _run(cluster, programs, port, settings))
        with ExitStack() as failed:
            failed.callback(server.stop)
            if _is_ready_soon(cluster, server):
                ends.push(failed.pop_all())
                return server
        # Between our looking and the server's binding somebody may have taken the port.
        if "Address already in use" not in last_lines(cluster.log, 8):
            break
    raise PostgresFailedError(
        f"PostgreSQL did not start, its log {cluster.log} ends:\n{last_lines(cluster.log)}"
    )


def _defaults() -> dict[str, str | int]:
    """Return settings for one user's machine: memory by what there is, nothing that weakens durability."""
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {
        "shared_buffers": f"{max(64, min(512, megabytes // 16))}MB",
        "max_connections": 200,
        "max_wal_size": "2GB",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
    }


def _run(
    cluster: Cluster, programs: Path, port: int, settings: Mapping[str, str | int]
) -> subprocess.Popen[bytes]:
    fixed = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        "logging_collector": "off",
    }
    options = [word for name, value in {**settings, **fixed}.items() for word in ("-c", f"{name}={value}")]
    # SIGQUIT, not SIGKILL: the server then ends its own children and frees its shared memory.
    return tether.spawn(
        [str(programs / "postgres"), "-D", str(cluster.data), *options],
        log=cluster.log,
        user=_identity(cluster.user),
        cwd=Path("/"),
        death_signal=signal.SIGQUIT,
    )


def _identity(user: pwd.struct_passwd | None) -> tuple[int, int] | None:
    return None if user is None else (user.pw_uid, user.pw_gid)


def _is_ready_soon(cluster: Cluster, server: Postgres) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        if cluster.is_ready(server.port):
            return True
        time.sleep(0.02)
    return False


def _make_database(server: Postgres) -> None:
    with psycopg.connect(server.url(database="postgres"), autocommit=True) as session:
        known = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (server.database,)).fetchone()
        if not known:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(server.database)))
