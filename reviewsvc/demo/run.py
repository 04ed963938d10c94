"""The demo for a person: the model's answers come in one by one, and the desk is open."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live

from reviewsvc.config import Settings
from reviewsvc.demo import terminal
from reviewsvc.demo.lookout import Lookout
from reviewsvc.demo.opening import opened
from reviewsvc.demo.publication import Keepsake
from reviewsvc.demo.sender import Sender, run_name
from reviewsvc.demo.temporary import fresh_folder
from reviewsvc.demo.terminal import Progress, Scene

LOOK_SECONDS = 0.5


class SendingError(Exception):
    """The model's answers could not be sent to Kafka."""


def sayer(console: Console) -> Callable[[str], None]:
    """Return what says a line on a console, which keeps whatever is shown live below it."""
    return lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """Return the folder that was given, which stays, or a fresh one for the length of the block."""
    with nullcontext(given.absolute()) if given else fresh_folder() as folder:
        yield folder


def run(
    settings: Settings,
    given: Path | None,
    *,
    rate: float,
    events: int | None,
    echo: bool,
    publish: Path | None = None,
) -> None:
    """Show the demo until Ctrl-C, sending `rate` answers a second, all or the first `events` of them.

    When all came in they are bundled for an outsider, with `publish` there, together with all logs as files.
    Raises what `running` raises, and SendingError.
    """
    console = Console()
    with data_folder(given) as folder, opened(settings, folder, say=sayer(console), echo=echo) as demo:
        terminal.greet(console, demo)
        keepsake = Keepsake(demo, publish.absolute() if publish else folder, publish=bool(publish))
        try:
            kafka = demo.service.settings.kafka
            sender = Sender(kafka, demo.applications[:events], rate=rate, run=run_name())
            _show(console, demo.service.settings, sender, keepsake)
        except KeyboardInterrupt:
            console.print()


def _show(console: Console, settings: Settings, sender: Sender, keepsake: Keepsake) -> None:
    live = Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext()
    with sender, Lookout(settings.database_url) as lookout, live as moving:
        screen = terminal.screen(console, moving)
        while not sender.failure:
            if seen := lookout.look():
                progress = Progress(len(sender.sent), sender.total, sender.is_done)
                screen.show(Scene(progress, seen.tally, seen.sizes, settings.public_url))
                if progress.is_done and keepsake.is_due(seen.tally.captured):
                    terminal.hand_over(console, keepsake.make())
            time.sleep(LOOK_SECONDS)
    raise SendingError(f"Sending to Kafka failed: {sender.failure}") from sender.failure
