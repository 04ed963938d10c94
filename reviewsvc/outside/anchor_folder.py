"""A folder as an anchor: another machine's disk, a share that only grows, a medium that is taken away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewsvc.domain.anchoring import BROKEN, FOLDER, AnchorError, Head, Kept
from reviewsvc.durable import sync_folder
from reviewsvc.outside import shelf

_READABLE = 0o444


class AnchorFolder:
    """Writes each checkpoint as a new file, and never one in the place of another."""

    kind = FOLDER
    vkey = None

    def __init__(self, root: Path, *, every_s: int = 60) -> None:
        self._root = root
        self.name, self.place, self.every_s = FOLDER, str(root), every_s

    def keep(self, head: Head, old: int) -> Kept:
        """Write a checkpoint; on return it is on the disk.

        Raises AnchorError, also if what is there from before is more, or another history.
        """
        with self._telling():
            log, sizes = self._kept(head.log, old)
            shelf.check(head, log, sizes, lambda size: self._path(log, size).read_bytes())
            path = self._path(head.log, head.size)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _write(path, head.note.encode())
        return Kept()

    def newest(self, log: str, old: int) -> bytes | None:
        """Return the newest checkpoint in the folder. Raises AnchorError."""
        with self._telling():
            newest, sizes = self._kept(log, old)
            return self._path(newest, sizes[-1]).read_bytes() if sizes else None
        return None

    def _kept(self, log: str, old: int) -> tuple[str, list[int]]:
        """The newest root log that is here, and the sizes that are kept of it from `old` on."""
        if not self._root.is_dir():
            raise AnchorError(BROKEN, f"there is no folder {self._root}: is its disk mounted?")
        newest = shelf.newest_log(_names(self._root / log.rpartition("/")[0]), log)
        first = old if newest == log else 0
        return newest, [size for size in shelf.sizes_in(_names(self._root / newest)) if size >= first]

    def _path(self, log: str, size: int) -> Path:
        return self._root / log / shelf.name_of(size)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in words what keeps the folder from being read or written."""
        try:
            yield
        except OSError as fault:
            told = f"{fault.filename or self._root}: {fault.strerror or fault}"
            raise AnchorError(BROKEN, told) from fault


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()] if folder.is_dir() else []


def _write(path: Path, data: bytes) -> None:
    """Write a file whole before it has its name, so that a crash leaves no half of one."""
    making = path.with_name(f".{path.name}.new")
    making.unlink(missing_ok=True)
    try:
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        making.rename(path)
    except OSError:
        # The next try has another size, and another name.
        making.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
