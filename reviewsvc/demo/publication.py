"""What the demo gives to outsiders: its logs as files, the keys that verify them, and a bundle of all."""

import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from reviewsvc.db.hot import seals
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.demo.opening import Demo
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.entries import Actor
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases import publishing
from reviewsvc.usecases.bundles import Asked, Maker
from reviewsvc.usecases.exporters import exporter_reach

BUNDLE = "bundle.zip"
PURPOSE = "the demo: all that happened in it"
SEAL_SECONDS = 30
LOOK_SECONDS = 0.1
VERIFY_SECONDS = 120


class NotSealedError(Exception):
    """Entries wait to be sealed and are not; the text says of which logs."""


@dataclass(frozen=True)
class Handed:
    """A bundle, and the keys that it is verified with."""

    bundle: Path
    keys: Path

    @property
    def words(self) -> list[str]:
        """The words of the command that verifies the bundle, but for Python itself."""
        program = str(resources.files("reviewsvc").joinpath("verify.py"))
        return ["-I", program, "--keys", str(self.keys), str(self.bundle)]

    @property
    def command(self) -> str:
        """The command that verifies the bundle, as a person types it."""
        return shlex.join(["python3", *self.words])

    def verify(self) -> tuple[int, str]:
        """Verify the bundle as an outsider does; return the exit code and what was said."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, *self.words],
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=VERIFY_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout


class Keepsake:
    """Is handed out once, when no more comes in; what goes wrong with it does not end the demo."""

    def __init__(self, demo: Demo, place: Path, *, publish: bool) -> None:
        self._demo, self._place, self._publish = demo, place, publish
        self._captured = -1
        self._is_made = False

    def is_due(self, captured: int) -> bool:
        """Say whether it is to be made now, when so many are captured; asked again and again."""
        is_still, self._captured = captured == self._captured, captured
        return is_still and not self._is_made

    def make(self) -> Handed | Exception:
        """Make it; return what went wrong instead if something did."""
        self._is_made = True
        try:
            return hand_out(self._demo, self._place, publish=self._publish)
        except Exception as error:  # noqa: BLE001 - told to the person, whose desk stays up
            return error


def hand_out(demo: Demo, place: Path, *, publish: bool) -> Handed:
    """Bundle all that is sealed, in the name of the demo's auditor, and write the verifier keys beside it.

    With `publish`, write every log as static files too, as far as it is sealed then.
    Raises NotSealedError, and what publishing and bundling raise.
    """
    handed = Handed(place / BUNDLE, place / publishing.KEYS_FILE)
    place.mkdir(parents=True, exist_ok=True)
    with connect(demo.service.settings.database_url, "read") as conn:
        await_sealed(conn)
        _bundle(demo, conn, handed.bundle)
        if publish:
            publishing.publish(conn, Folder(place))
        else:
            Folder(place).write(publishing.KEYS_FILE, publishing.verifier_keys(conn))
    return handed


def await_sealed(conn: Connected) -> None:
    """Return when nothing is left to be sealed. Raises NotSealedError."""
    deadline = time.monotonic() + SEAL_SECONDS
    while grown := seals.grown(conn):
        if time.monotonic() > deadline:
            names = ", ".join(each.name for each in grown)
            raise NotSealedError(f"not sealed after {SEAL_SECONDS} s: {names}; see the worker's log")
        time.sleep(LOOK_SECONDS)


def _bundle(demo: Demo, conn: Connected, target: Path) -> None:
    service, officer = demo.service, demo.log_in("auditor").login
    reach = exporter_reach(service.sessions, officer)
    with tempfile.TemporaryDirectory(
        prefix=".bundle-", dir=target.parent, ignore_cleanup_errors=True
    ) as making:
        maker = Maker(service.sessions, service.keyring, Path(making) / "half", reach)
        maker.make(Asked(Question("range"), PURPOSE, Actor("cli", officer)), datetime.now(UTC))
        while not maker.finish(target):
            await_sealed(conn)
