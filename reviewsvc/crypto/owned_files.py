"""Files that only their owner may read, replaced whole and durably."""

import os
from contextlib import suppress
from pathlib import Path


def create(path: Path, data: bytes) -> bool:
    """Write a file that does not exist yet; False, with nothing changed, if it does."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    _write(descriptor, data)
    sync_folder(path.parent)
    return True


def replace(path: Path, data: bytes) -> None:
    """Put a file in the place of another; it is on the disk on return, and no reader ever sees half of it."""
    making = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), data)
        making.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            making.unlink()
        raise
    # Only with its folder on the disk too does a crash not bring the old file back.
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
