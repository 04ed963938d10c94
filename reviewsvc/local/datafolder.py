"""The folder in which `up` and `demo` keep what must outlive a start: data, keys, secrets and names."""

import os
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewsvc.crypto.kek import make_kek_file
from reviewsvc.local.folders import locked


def usual_folder() -> Path:
    """Return where a user's programs keep their data, ours in a folder of its own."""
    given = os.environ.get("XDG_DATA_HOME")
    return (Path(given) if given else Path.home() / ".local" / "share") / "reviewsvc"


@dataclass(frozen=True)
class DataFolder:
    """One installation's folder; its secrets are readable by its owner alone."""

    path: Path

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make the folder and keep others from it while the block runs. Raises FolderInUseError."""
        with locked(self.path):
            # PostgreSQL, which never runs as root, must pass through to its own part.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            yield

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.path / "logs"

    @property
    def environment(self) -> Path:
        """The file that sets what further commands need."""
        return self.path / "environment"

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """Return a text that is made at the first start and the same ever after."""
        place = self.path / name
        if not place.exists():
            _write(place, make() + "\n")
        return place.read_text().strip()

    def secret(self, name: str) -> str:
        """Return a random text of 256 bits, the same at every start."""
        return self.kept(name, lambda: secrets.token_urlsafe(32))

    def kek_file(self) -> Path:
        """Return the file of the key that wraps all keys, made at the first start."""
        place = self.path / "kek"
        make_kek_file(place)
        return place

    def write_environment(self, settings: Mapping[str, str]) -> None:
        """Write settings as a file for a shell: `set -a; . FILE` gives them to the commands that follow."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items() if value]
        _write(self.environment, "".join(lines))


def _write(place: Path, text: str) -> None:
    # Made beside its place and renamed: one written halfway is never taken for a whole one.
    new = place.with_name(f"{place.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(place)
