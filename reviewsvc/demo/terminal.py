"""What the demo shows: where to go, who may log in, and what happens, live where a terminal can."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import NamedTuple, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reviewsvc.db.hot.tallies import Size, Tally
from reviewsvc.demo.crew import WHAT_FOR
from reviewsvc.demo.opening import Demo
from reviewsvc.demo.publication import Handed

PLAIN_SECONDS = 5.0


class Progress(NamedTuple):
    """How far sending has come."""

    sent: int
    total: int
    is_done: bool


class Scene(NamedTuple):
    """What is to be shown at one moment."""

    progress: Progress
    tally: Tally
    sizes: list[Size]
    address: str


class Screen(Protocol):
    """Shows one scene after the other."""

    def show(self, scene: Scene) -> None:
        """Show a scene."""


def greet(console: Console, demo: Demo) -> None:
    """Say where the desk is and who may log in; the passwords are shown here and nowhere else."""
    first = demo.log_ins[0].login
    place = escape(quote(str(demo.service.folder.environment)))
    console.print(
        f"\n[bold]Open {demo.service.settings.public_url}[/] and decide a case as [bold]{first}[/].\n"
    )
    console.print(_people(demo))
    console.print(
        f"\n[dim]For other commands, in another terminal:  set -a; . {place}; set +a",
        soft_wrap=True,
    )
    console.print(f"[dim]For example:  {_command()} audit verify.   Ctrl-C ends the demo.\n", highlight=False)


def hand_over(console: Console, handed: Handed | Exception) -> None:
    """Say where the bundle is and how an outsider verifies it."""
    if isinstance(handed, Exception):
        console.print(f"No bundle was made: {handed}", markup=False, soft_wrap=True)
        return
    console.print(
        f"\nAll that happened so far is bundled, for somebody who trusts nobody here: {handed.bundle}\n"
        f"Verify it, offline:  {handed.command}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _command() -> str:
    """Return how a shell finds our command: by its name, or in the environment that runs this."""
    beside = Path(sys.executable).with_name("reviewsvc")
    if shutil.which("reviewsvc"):
        return "reviewsvc"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def _people(demo: Demo) -> Table:
    people = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for heading in ("log in as", "password (shown once)", "role", ""):
        people.add_column(heading, header_style="dim", no_wrap=bool(heading))
    for each in demo.log_ins:
        people.add_row(each.login, each.password, each.role, Text(WHAT_FOR[each.role], style="dim"))
    return people


def screen(console: Console, live: Live | None) -> Screen:
    """Return what shows scenes: in place where a terminal can, else a line each few seconds."""
    return _Moving(live) if live else _Lines(console)


@dataclass
class _Moving:
    live: Live

    def show(self, scene: Scene) -> None:
        """Show a scene in the place of the one before."""
        self.live.update(_panel(scene), refresh=True)


class _Lines:
    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._said = ""
        self._ended = False
        self._at = -PLAIN_SECONDS

    def show(self, scene: Scene) -> None:
        """Say a scene in a line, if it is another one and the last line is old enough; the end at once."""
        line = _line(scene)
        if line != self._said and self._clock() - self._at >= PLAIN_SECONDS:
            self._say(line)
            self._said, self._at = line, self._clock()
        if scene.progress.is_done and not self._ended:
            self._say(_ending(scene))
            self._ended = True

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def _panel(scene: Scene) -> Group:
    values = _values(scene)
    figures = Table(box=None, padding=(0, 3, 0, 0), show_edge=False)
    for heading in values:
        figures.add_column(heading, header_style="dim", justify="right")
    figures.add_row(*values.values())
    logs = ", ".join(f"{each.kind} {each.entries:,}" for each in scene.sizes)
    return Group(figures, Text(f"entries in the logs: {logs}", style="dim"), Text(_ending(scene)))


def _values(scene: Scene) -> dict[str, str]:
    tally = scene.tally
    return {
        "sent": f"{scene.progress.sent:,} of {scene.progress.total:,}",
        "captured": f"{tally.captured:,}",
        "to people": f"{tally.queued:,}",
        "waiting": f"{tally.waiting:,}",
        "decided": f"{tally.decided:,}",
        "labels out": f"{tally.labels:,}",
    }


def _ending(scene: Scene) -> str:
    if not scene.progress.is_done:
        return f"The model is deciding; its answers go to Kafka one by one. The desk: {scene.address}"
    return f"All {scene.progress.sent:,} answers were sent. The desk stays up: {scene.address}"


def _line(scene: Scene) -> str:
    values = ", ".join(f"{name} {value}" for name, value in _values(scene).items())
    return f"{values}; entries: " + ", ".join(f"{each.kind} {each.entries:,}" for each in scene.sizes)
