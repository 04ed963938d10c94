"""A fresh data folder for each demo, taken away at its end; what a killed one left goes at the next start."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviewsvc.local.folders import FolderInUseError, locked

PREFIX = "reviewsvc-demo-"
# A folder so young may not be locked yet by the demo that made it.
YOUNG_SECONDS = 60


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Make a folder among the system's temporary ones, and delete it at the end of the block."""
    sweep(Path(tempfile.gettempdir()), time.time())
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path, now: float) -> None:
    """Delete the folders of ours in `place` that no running demo holds; `now` is in seconds since 1970."""
    for folder in place.glob(f"{PREFIX}*"):
        state = folder.lstat()
        if not folder.is_dir() or state.st_uid != os.geteuid() or now - state.st_mtime < YOUNG_SECONDS:
            continue
        try:
            with locked(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except FolderInUseError:
            continue
