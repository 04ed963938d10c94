"""Files that only their owner may read, replaced whole and durably."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewsvc.durable import sync_folder


def create(path: Path, data: bytes) -> bool:
    """Write a file that does not exist yet; False, with nothing changed, if it does."""
    if os.path.lexists(path):
        return False
    with _beside(path, data) as making:
        try:
            # It has its name when it is whole: who is killed before leaves none that is empty for ever.
            os.link(making, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


def replace(path: Path, data: bytes) -> None:
    """Put a file in the place of another; it is on the disk on return, and no reader ever sees half of it."""
    with _beside(path, data) as making:
        making.replace(path)
    # Only with its folder on the disk too does a crash not bring the old file back.
    sync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file by what they read of it before. Raises OSError."""
    # A lock file of its own, since the file itself is replaced at each write.
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """A whole file beside a place, for the block to put there; nothing is left of it afterwards."""
    making = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield making
    finally:
        making.unlink(missing_ok=True)
