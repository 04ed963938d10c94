"""`reviewsvc consume`: the processes between Kafka and the logs."""

import click


@click.group()
def consume() -> None:
    """Capture from Kafka, or relay to it."""


@consume.command(short_help="Capture predictions.")
def capture() -> None:
    """Capture every prediction, exactly once, until told to stop."""
    from consumers.__main__ import run

    run("capture")


@consume.command(short_help="Send labels and decisions to their topics.")
def relay() -> None:
    """Send labels and decisions to their topics, exactly once, until told to stop."""
    from consumers.__main__ import run

    run("relay")
