"""Appends events to a file, one a line, for whoever collects it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reviewsvc.domain.ocsf import Event

_MODE: Final = 0o640


class LineFile:
    """A file that is opened anew for each batch: it may be rotated at any time."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[Event]) -> None:
        """Append the events and bring them to the disk. Raises OSError.

        A line that a crash cut off is ended first; its event comes again, whole.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        with os.fdopen(descriptor, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            is_cut = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"".join([b"\n"] * is_cut + [event.text + b"\n" for event in events]))
            file.flush()
            os.fsync(file.fileno())
