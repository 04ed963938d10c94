"""Backups: the database in one file and its keys in another, told by a manifest, and put back."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict

from reviewsvc.db import schema
from reviewsvc.db.hot import guards, seals
from reviewsvc.domain.moments import microseconds, moment, uuid7
from reviewsvc.durable import sync_folder

MANIFEST: Final = "manifest.json"
_OWNER: Final = "reviewsvc_owner"
# libpq takes these from the environment: the command line, which everybody here sees, has no secrets.
_VARIABLES: Final = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
}
_DATA: Final = ("--exclude-table-data=restore_guard", "--exclude-table-data=keys.*")
_KEYS: Final = ("--data-only", "--schema=keys")
_LOGS: Final = (
    "SELECT l.name, h.size, coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = l.log_id), 0) "
    "FROM log l JOIN head h USING (log_id) ORDER BY l.name"
)


class BackupError(RuntimeError):
    """A backup cannot be made, is damaged, or cannot be put back; the text says what to do."""


class File(Struct, frozen=True):
    """A file of a backup: its name, size in bytes, and SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class LogSize(Struct, frozen=True):
    """How many entries of a log are in a backup, and how many of them are signed there."""

    log: str
    size: int
    sealed: int


class Manifest(Struct, frozen=True):
    """What a backup holds: `holds` is `data` or `keys`, and both of one backup carry the same id.

    `checkpoint` is the root log's newest signed one, `made_at` the time in microseconds, `server` the major
    version of PostgreSQL, `revision` that of the tables.
    """

    v: int
    backup: str
    holds: str
    made_at: int
    origin: str
    system_id: str
    timeline: int
    server: int
    revision: str
    checkpoint: str
    files: list[File]
    logs: list[LogSize] = []


def server_major(owner_url: str) -> int:
    """Return the major version of a server."""
    with psycopg.connect(owner_url) as conn:
        return conn.info.server_version // 10_000


class Programs(NamedTuple):
    """The folder that has pg_dump and pg_restore."""

    folder: Path

    def run(self, program: str, *arguments: str, url: str = "") -> str:
        """Run one of them and return what it printed. Raises BackupError with what it said."""
        command = [str(self.folder / program), *arguments]
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own program, found by the caller
            command, env=os.environ | _environment(url), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BackupError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def make(owner_url: str, programs: Programs, target: Path, keys: Path, at: datetime) -> Manifest:
    """Write the database into the folder `target`, and its keys into `keys`, as of one moment.

    Either folder gets its name when it is whole. Raises BackupError.
    """
    for folder in (target, keys):
        if folder.exists():
            raise BackupError(f"{folder} is there already: name a new folder, each backup has its own")
    with _snapshot(owner_url) as (conn, snapshot):
        common = (f"--snapshot={snapshot}", f"--role={_OWNER}", "--format=custom", "--no-password")
        found = _manifest(conn, at)
        with _whole(keys) as half_of_keys, _whole(target) as half:
            programs.run("pg_dump", *common, *_KEYS, f"--file={half_of_keys / 'keys.dump'}", url=owner_url)
            told = msgspec.structs.replace(found, holds="keys", logs=[], files=_files(half_of_keys))
            _write(half_of_keys, told)
            programs.run("pg_dump", *common, *_DATA, f"--file={half / 'data.dump'}", url=owner_url)
            made = msgspec.structs.replace(found, files=_files(half))
            _write(half, made)
    return made


def check(folder: Path, programs: Programs) -> Manifest:
    """Read a backup's manifest and hold every file against it. Raises BackupError."""
    found = manifest(folder)
    for told, here in zip(found.files, _files(folder), strict=False):
        if told != here:
            raise BackupError(f"{folder / told.name} is not the file that was written: take another backup")
    if len(_files(folder)) != len(found.files):
        raise BackupError(f"{folder} has other files than its manifest names")
    for each in found.files:
        programs.run("pg_restore", "--list", str(folder / each.name))
    return found


def manifest(folder: Path) -> Manifest:
    """Read what a backup says of itself. Raises BackupError."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as fault:
        raise BackupError(
            f"{folder} has no manifest ({fault.strerror}): it is no backup, or not whole"
        ) from fault
    except msgspec.DecodeError as fault:
        raise BackupError(f"the manifest in {folder} cannot be read: {fault}") from fault


_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_NO_SUPERUSER = (
    "DATABASE_OWNER_URL names no superuser: the dump says again who granted what, and only one may; "
    "where there is none, put back a snapshot of the server itself"
)


def load(owner_url: str, programs: Programs, folder: Path, keys: Path | None) -> Manifest:
    """Put a backup into an empty database, with its keys if they are given; nobody may write to it yet.

    Without its keys no payload can be opened, and every proof still holds. Raises BackupError.
    """
    found = check(folder, programs)
    if keys is not None and check(keys, programs).backup != found.backup:
        raise BackupError(f"{keys} holds the keys of another backup than {folder}")
    with psycopg.connect(owner_url) as conn:
        if conn.execute("SELECT to_regclass('installation')").fetchone() != (None,):
            raise BackupError("the database is not empty: name a new one in DATABASE_OWNER_URL")
        if not conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            True,
        ):
            raise BackupError(_NO_SUPERUSER)
    schema.prepare(owner_url)
    name = str(conninfo_to_dict(owner_url).get("dbname", ""))
    # One transaction: a restore that was cut off leaves the database empty, never a part for the whole.
    common = ("--exit-on-error", "--single-transaction", "--no-password", f"--dbname={name}")
    programs.run("pg_restore", *common, str(folder / "data.dump"), url=owner_url)
    _keep_shut(owner_url, found, "has not come to its end: restore it anew, into an empty database")
    if keys is not None:
        programs.run("pg_restore", *common, str(keys / "keys.dump"), url=owner_url)
    schema.upgrade(owner_url)
    _keep_shut(owner_url, found)
    return found


def _keep_shut(owner_url: str, found: Manifest, but: str = "") -> None:
    """Let nobody write to a restored database before it was adopted."""
    made_at = moment(found.made_at)
    told = f"this database was restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC"
    with psycopg.connect(owner_url) as conn:
        guards.confirm(conn, made_at, f"{told}, which {but}" if but else told)


@contextmanager
def _snapshot(owner_url: str) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """Hold one moment of the database, and name it to those who are to see the same."""
    with psycopg.connect(owner_url) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        conn.execute(f"SET LOCAL ROLE {_OWNER}")
        row = conn.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield conn, row[0]


def _manifest(conn: psycopg.Connection[Any], at: datetime) -> Manifest:
    row = conn.execute("SELECT origin, system_id, timeline FROM installation").fetchone()
    if row is None:
        raise BackupError("nothing is installed in this database yet: there is nothing to back up")
    revision = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    roots = [log for log in seals.sealed_logs(conn) if log.kind == "root"]
    return Manifest(
        v=1,
        backup=str(uuid7(at, os.urandom(16))),
        holds="data",
        made_at=microseconds(at),
        origin=row[0],
        system_id=row[1],
        timeline=row[2],
        server=conn.info.server_version // 10_000,
        revision=revision[0] if revision else "",
        checkpoint=roots[-1].note if roots else "",
        files=[],
        logs=[LogSize(*each) for each in conn.execute(_LOGS)],
    )


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder that only its owner can read, which gets its name when all is on the disk."""
    half = folder.with_name(f"{folder.name}.partial")
    try:
        half.mkdir(mode=0o700, parents=True)
    except FileExistsError as fault:
        raise BackupError(
            f"{half} is there already: another backup is made there now, or was cut off; then remove it"
        ) from fault
    try:
        yield half
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    for path in (*half.iterdir(), half):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    half.rename(folder)
    sync_folder(folder.parent)


def _write(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def _files(folder: Path) -> list[File]:
    return [_file(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST]


def _file(path: Path) -> File:
    with path.open("rb") as file:
        return File(path.name, path.stat().st_size, file_digest(file, "sha256").hexdigest())


def _environment(url: str) -> Mapping[str, str]:
    given = conninfo_to_dict(url) if url else {}
    return {_VARIABLES[name]: str(value) for name, value in given.items() if name in _VARIABLES and value}
