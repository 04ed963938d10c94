"""Where a bundle's files lie while it is made: small ones one behind the other, so that each costs little."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

_CHUNK: Final = 1 << 18


class Kept(Struct, frozen=True, array_like=True):
    """A file inside a bin: its path in the bundle, where it begins, its size in bytes, its SHA-256 in hex."""

    name: str
    at: int
    size: int
    sha256: str


class Bin:
    """One file that takes the files of a part of a log."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._at = stream, 0
        self.files: list[Kept] = []

    def add(self, name: str, data: bytes) -> None:
        """Put a file in."""
        self._stream.write(data)
        self.files.append(Kept(name, self._at, len(data), hashlib.sha256(data).hexdigest()))
        self._at += len(data)


class Contents:
    """All files of a bundle: those in a folder, which win, and those in bins."""

    def __init__(self, folder: Path, bins: Iterable[tuple[Path, Iterable[Kept]]]) -> None:
        self._folder = folder
        self._kept = {each.name: (path, each) for path, files in bins for each in files}
        self._loose = {
            path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
        }

    def names(self) -> list[str]:
        """Return the paths in the bundle, sorted."""
        return sorted({*self._kept, *self._loose})

    def hashes(self) -> Iterator[tuple[str, str]]:
        """Yield each file's path and its SHA-256 in hex."""
        for name in self.names():
            loose = self._loose.get(name)
            if loose is None:
                yield name, self._kept[name][1].sha256
                continue
            with loose.open("rb") as stream:
                yield name, hashlib.file_digest(stream, "sha256").hexdigest()

    def size(self, name: str) -> int:
        """Return a file's size in bytes."""
        loose = self._loose.get(name)
        return self._kept[name][1].size if loose is None else loose.stat().st_size

    def chunks(self, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each file's path and its bytes, piece by piece; a bin stays open as long as it is in turn."""
        open_path, open_bin = None, None
        try:
            for name in names:
                if name in self._loose:
                    with self._loose[name].open("rb") as stream:
                        yield name, _pieces(stream, self.size(name))
                    continue
                path, kept = self._kept[name]
                if path != open_path or open_bin is None:
                    if open_bin:
                        open_bin.close()
                    open_path, open_bin = path, path.open("rb")
                open_bin.seek(kept.at)
                yield name, _pieces(open_bin, kept.size)
        finally:
            if open_bin:
                open_bin.close()


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size and (data := stream.read(min(size, _CHUNK))):
        yield data
        size -= len(data)
