"""Packs a bundle's files into one zip: the same files give the same bytes, whoever packs them, whenever."""

import os
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from reviewsvc.usecases.bundle_bins import Contents

_UNIX: Final = 3
_READABLE: Final = 0o100644 << 16
# Not for everybody on the machine: a bundle may hold opened payloads.
_MODE: Final = 0o640


def pack(contents: Contents, target: Path) -> None:
    """Write the files into a zip: sorted, stored as they are, with the format's first date on each.

    They are not compressed: that would take longer than all else, and an entry's hashes compress little.
    """
    with os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, _MODE), "r+b") as file:
        with ZipFile(file, "w", ZIP_STORED) as packed:
            _write(contents, packed)
        file.flush()
        # It gets its last name when it is on the disk: a bundle that a power cut left empty is none.
        os.fsync(file.fileno())


def _write(contents: Contents, packed: ZipFile) -> None:
    for name, pieces in contents.chunks(contents.names()):
        told = ZipInfo(name)
        told.create_system, told.external_attr = _UNIX, _READABLE
        told.file_size = contents.size(name)
        with packed.open(told, "w") as stream:
            for data in pieces:
                stream.write(data)
