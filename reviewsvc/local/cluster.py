"""The data folder of a local PostgreSQL: made once, owned by who runs the server, found again later."""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from reviewsvc.local.folders import reaches, shared_folders, unprivileged_user
from reviewsvc.local.pgbinaries import major_version
from reviewsvc.local.terminal import say

BUILTIN_LOCALES_MAJOR = 17
PREDECESSOR_SECONDS = 15
READY_LINE = 7
PORT_LINE = 3


class PostgresFailedError(Exception):
    """Raised when a local PostgreSQL cannot be made or does not start."""


@dataclass(frozen=True)
class Cluster:
    """Data, password and log of one server, and the user (None: the present one) who owns them."""

    folder: Path
    user: pwd.struct_passwd | None

    @staticmethod
    def at(folder: Path) -> "Cluster":
        """Return the cluster of `folder`; its files lie elsewhere if the server's user cannot reach that."""
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        moved = folder / "moved-to"
        known = Path(moved.read_text().strip()) if moved.exists() else folder
        user = unprivileged_user(known / "data")
        if user is not None and (known == folder or not known.is_dir()):
            known = _within_reach(folder, user)
        return Cluster(known, user)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def password(self) -> str:
        """Return the superuser's password, kept in a file only its owner can read."""
        return (self.folder / "password").read_text().strip()

    def create(self, programs: Path) -> None:
        """Make the data folder, with passwords required and checksums on; does nothing if it is there."""
        if (self.data / "PG_VERSION").exists():
            return
        secret = self.folder / "password"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24))
        # Made beside its place and renamed, so that one killed halfway is not taken for a whole one.
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(secret, self.user.pw_uid, self.user.pw_gid)
            os.chown(new, self.user.pw_uid, self.user.pw_gid)
        self._initialise(programs, new, secret)
        new.rename(self.data)

    def _initialise(self, programs: Path, new: Path, secret: Path) -> None:
        command = [str(programs / "initdb"), "-D", str(new), "--username=postgres", f"--pwfile={secret}"]
        command += [
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ]
        if major_version(programs) >= BUILTIN_LOCALES_MAJOR:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        user = self.user
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [user.pw_gid],
        )
        if done.returncode != 0:
            raise PostgresFailedError(f"initdb could not make {self.data}:\n{done.stderr.strip()}")

    def await_predecessor(self) -> None:
        """Wait for a server that is still ending on this data (its parent was killed); refuse if it stays."""
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while (pid := self._holder()) is not None:
            if time.monotonic() > deadline:
                raise PostgresFailedError(
                    f"process {pid}, another PostgreSQL, runs on {self.data}: stop it, or use another folder"
                )
            time.sleep(0.05)
        # What is left names no server; its number may by now be another program's, and would stop ours.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def is_ready(self, port: int) -> bool:
        """Say whether the server on this data reports that it takes connections on `port`."""
        lines = self._pid_file()
        return (
            len(lines) > READY_LINE
            and lines[PORT_LINE].strip() == str(port)
            and lines[READY_LINE].strip() == "ready"
        )

    def _holder(self) -> int | None:
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        return pid if pid is not None and _program(pid) == "postgres" else None

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []


def _program(pid: int) -> str | None:
    """Return the name of the program that process runs, None if there is no such process."""
    name = Path(f"/proc/{pid}/comm")
    if sys.platform == "linux":
        return name.read_text().strip() if name.exists() else None
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip()).name or None


def _within_reach(folder: Path, user: pwd.struct_passwd) -> Path:
    """Let `user` pass into `folder`; if a folder above it forbids that, choose another place and note it."""
    folder.chmod(folder.stat().st_mode | 0o011)
    if reaches(user, folder):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    place = shared_folders(lasting=True)[0]
    elsewhere = place / name
    elsewhere.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not reaches(user, elsewhere):
        raise PostgresFailedError(
            f"the user {user.pw_name} can reach neither {folder} nor {elsewhere}: choose another folder"
        )
    (folder / "moved-to").write_text(str(elsewhere))
    say(f"the user {user.pw_name} cannot reach {folder}: the database's files are in {elsewhere}")
    return elsewhere
