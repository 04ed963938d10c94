"""Packs a folder into one zip: the same files give the same bytes, whoever packs them, whenever."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

_CHUNK: Final = 1 << 20
_UNIX: Final = 3
_READABLE: Final = 0o100644 << 16


def names(files: Path) -> list[str]:
    """Return the files in a folder, by their paths inside it, sorted."""
    return sorted(path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file())


def hashes(files: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's path and its SHA-256 in hex."""
    for name in names(files):
        with (files / name).open("rb") as stream:
            yield name, hashlib.file_digest(stream, "sha256").hexdigest()


def pack(files: Path, target: Path) -> None:
    """Write the files into a zip: sorted, stored as they are, with the format's first date on each."""
    with ZipFile(target, "w", ZIP_STORED) as packed:
        for name in names(files):
            told = ZipInfo(name)
            told.create_system, told.external_attr = _UNIX, _READABLE
            told.file_size = (files / name).stat().st_size
            with (files / name).open("rb") as source, packed.open(told, "w") as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
