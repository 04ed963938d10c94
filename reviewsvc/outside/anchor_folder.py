"""A folder as an anchor: another machine's disk, a share that only grows, a medium that is taken away."""

import os
from pathlib import Path

from reviewsvc.domain.anchoring import BROKEN, FOLDER, FORK, AnchorError, Head, Kept
from reviewsvc.outside.folder import sync_folder

_READABLE = 0o444


class AnchorFolder:
    """Writes each checkpoint as a new file, and never one in the place of another."""

    kind = FOLDER
    vkey = None

    def __init__(self, root: Path, *, every_s: int = 60) -> None:
        self._root = root
        self.name, self.place, self.every_s = FOLDER, str(root), every_s

    def keep(self, head: Head, old: int) -> Kept:  # noqa: ARG002 - a folder needs no proof
        """Write a checkpoint; on return it is on the disk. Raises AnchorError."""
        path = self._root / head.log / f"{head.size:015d}.checkpoint"
        try:
            if not self._root.is_dir():
                raise AnchorError(BROKEN, f"there is no folder {self._root}: is its disk mounted?")
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _compare(path, head)
            else:
                _write(path, head.note.encode())
        except OSError as fault:
            raise AnchorError(BROKEN, f"{fault.filename or path}: {fault.strerror or fault}") from fault
        return Kept()


def _compare(path: Path, head: Head) -> None:
    """Another root there is another history; another signature is what a changed key leaves."""
    kept = path.read_bytes()
    if not kept.startswith(head.body.encode()):
        raise AnchorError(
            FORK, f"{path} holds another checkpoint of {head.size} entries: find out which is ours"
        )


def _write(path: Path, data: bytes) -> None:
    """Write a file whole before it has its name, so that a crash leaves no half of one."""
    making = path.with_name(f".{path.name}.new")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    making.rename(path)
    sync_folder(path.parent)
