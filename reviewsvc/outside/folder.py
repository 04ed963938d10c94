"""A folder of published files: each is whole when it is there, and on the disk before what tells of it."""

import os
from pathlib import Path
from typing import Final

from reviewsvc.durable import sync_folder

_READABLE: Final = 0o644


class Folder:
    """Writes files below a folder; `sync` makes sure that their names are on the disk too.

    One at a time may write: a file that is not whole yet has the same name for all.
    """

    def __init__(self, root: Path) -> None:
        self._root, self.name = root, str(root.resolve())
        self._touched: set[Path] = set()

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if it does not exist."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or put it in the place of one: no reader ever sees half of it."""
        path = self._root / name
        self._make(path.parent)
        making = path.with_name(f".{path.name}.new")
        with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _READABLE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
        self._touched.add(path.parent)

    def sync(self) -> None:
        """Bring the names of all that was written to the disk: what follows may rely on it."""
        for folder in sorted(self._touched):
            sync_folder(folder)
        self._touched.clear()

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            self._touched.add(folder.parent)
