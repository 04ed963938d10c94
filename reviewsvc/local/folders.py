"""Where the local stack keeps what it downloads, and whether another user can reach it."""

import fcntl
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED_USERS = ("postgres", "nobody")


class NoUnprivilegedUserError(Exception):
    """Raised when root has nobody to run PostgreSQL as."""


class FolderInUseError(Exception):
    """Raised when another reviewsvc runs on the same data, or another user owns it."""


def cache_folder() -> Path:
    """Return the user's cache folder for reviewsvc, whether or not it exists."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "reviewsvc"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "reviewsvc"
    return Path.home() / ".cache" / "reviewsvc"


def shared_folders(*, lasting: bool) -> list[Path]:
    """Return folders that other users can usually reach, best first; `lasting` ones outlive a restart."""
    place = Path("/var/lib" if lasting else "/var/cache") / "reviewsvc"
    return [place] if lasting else [cache_folder(), place, Path(tempfile.gettempdir()) / "reviewsvc-cache"]


def unprivileged_user(owned: Path | None = None) -> pwd.struct_passwd | None:
    """Return whom root runs PostgreSQL as: the owner of `owned`, else one that exists; None if not root."""
    if os.geteuid() != 0:
        return None
    if owned is not None and owned.exists() and owned.stat().st_uid != 0:
        return pwd.getpwuid(owned.stat().st_uid)
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoUnprivilegedUserError(
        "PostgreSQL refuses to run as root and there is no user 'postgres' or 'nobody': "
        "make one (useradd --system postgres) or run as an ordinary user"
    )


def runs_as(user: pwd.struct_passwd | None, command: list[str]) -> bool:
    """Say whether `command` succeeds when `user` runs it (None is the present user)."""
    identity = (
        {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [user.pw_gid]}
    )
    try:
        done = subprocess.run(  # type: ignore[call-overload] # noqa: S603 - our own command; keywords by dictionary
            command, cwd="/", capture_output=True, check=False, timeout=30, **identity
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(done.returncode == 0)


def reaches(user: pwd.struct_passwd | None, folder: Path) -> bool:
    """Say whether `user` can pass through `folder` to what lies in it."""
    return runs_as(user, ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)])


def make_trusted(folder: Path) -> bool:
    """Make a folder that all may pass and only this user may write; False if it cannot be made so."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return False
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022 and folder.is_dir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make `folder`, and keep every other reviewsvc from running on it while the block runs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except PermissionError:
        raise FolderInUseError(
            f"{folder} belongs to another user: run as that user, or choose another folder"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(
                f"another reviewsvc runs on {folder}: stop it, or choose another folder"
            ) from None
        yield


def last_lines(log: Path, count: int = 8) -> str:
    """Return the end of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else "(no log)"
