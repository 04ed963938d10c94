"""A keystore in a folder: one KEK a file, and the name of the one that wraps.

It is the implementation of the KMS port that comes with the service, and the pattern for others.
"""

import os
from pathlib import Path
from typing import Final

from reviewsvc.crypto import owned_files
from reviewsvc.crypto.kek import KEY_BYTES, Kek, KekError, Keks, read_keks

_CURRENT: Final = "current"
_SUFFIX: Final = ".key"


class Keystore(Keks):
    """KEKs in a folder that only their owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            if not (folder / _CURRENT).exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._make()
            super().__init__(self._load, lambda: _stamp(folder / _CURRENT))
        except OSError as fault:
            raise KekError(f"the keystore {folder} cannot be used: {fault.strerror}") from fault

    def renew(self) -> str:
        """Make a KEK that wraps from now on."""
        return self._make().kek_id

    def retire(self, kek_id: str) -> None:
        """Take a KEK out of the folder."""
        if self.kek_id == kek_id:
            raise KekError(f"the key-encryption key {kek_id} is the one in use")
        (self._folder / f"{kek_id}{_SUFFIX}").unlink(missing_ok=True)
        # Told by the file that running processes look at.
        owned_files.replace(self._folder / _CURRENT, f"{self.kek_id}\n".encode())

    def _make(self) -> Kek:
        made = Kek(os.urandom(KEY_BYTES))
        owned_files.create(self._folder / f"{made.kek_id}{_SUFFIX}", f"{made.text()}\n".encode())
        owned_files.replace(self._folder / _CURRENT, f"{made.kek_id}\n".encode())
        return made

    def _load(self) -> list[Kek]:
        current = (self._folder / _CURRENT).read_text("ascii").strip()
        found = [kek for path in sorted(self._folder.glob(f"*{_SUFFIX}")) for kek in read_keks(path)]
        if current not in {kek.kek_id for kek in found}:
            raise KekError(f"the keystore {self._folder} lacks its current key {current}: put it back")
        return sorted(found, key=lambda kek: kek.kek_id != current)


def open_keystore(folder: str) -> Keystore:
    """Open the keystore in a folder; a new one is made with its first key."""
    return Keystore(Path(folder))


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns
