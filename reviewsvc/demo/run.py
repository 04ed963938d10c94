"""The demo for a person: the model's answers come in one by one, and the desk is open."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live

from reviewsvc.config import Settings
from reviewsvc.db.hot import tallies
from reviewsvc.db.hot.connection import connect
from reviewsvc.demo import terminal
from reviewsvc.demo.opening import Demo, opened
from reviewsvc.demo.sender import Sender, run_name
from reviewsvc.demo.temporary import fresh_folder

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


def run(settings: Settings, given: Path | None, *, rate: float, echo: bool) -> None:
    """Show the demo until Ctrl-C, sending `rate` answers a second; raises what `running` raises."""
    console = Console()
    with data_folder(given) as folder, opened(settings, folder, say=sayer(console), echo=echo) as demo:
        terminal.greet(console, demo)
        try:
            _show(console, demo, rate)
        except KeyboardInterrupt:
            console.print()


def _show(console: Console, demo: Demo, rate: float) -> None:
    service = demo.service
    sender = Sender(service.settings.kafka, demo.applications, rate=rate, run=run_name())
    live = Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext()
    with sender, connect(service.settings.database_url, "read") as conn, live as moving:
        screen = terminal.screen(console, moving)
        while True:
            if sender.failure:
                raise SendingError(f"Sending to Kafka failed: {sender.failure}") from sender.failure
            screen.show(
                terminal.Scene(
                    sent=len(sender.sent),
                    total=sender.total,
                    is_done=sender.is_done,
                    tally=tallies.tally(conn),
                    sizes=tallies.sizes(conn),
                    address=service.settings.public_url,
                )
            )
            time.sleep(LOOK_SECONDS)
