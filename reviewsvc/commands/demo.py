"""`reviewsvc demo`: the whole service on real data, on this machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reviewsvc.commands.extras import needed

if TYPE_CHECKING:
    from reviewsvc.config import Settings

FIRST_PORT = 8080
EVENTS = 600
MOST_FAULTS = 20


@click.command()
@click.option(
    "--rate", type=click.FloatRange(0.01, 10_000), help="Predictions a second; else 2, with --check 50."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data in this folder and go on with it next time; else it is fresh, and gone afterwards.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port of the desk; else the first free one from 8080."
)
@click.option("--logs", is_flag=True, help="Show what the processes write to their logs.")
@click.option("--check", is_flag=True, help="Do it without a person, and exit 1 if anything is off.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print one JSON object on stdout.")
@click.option(
    "--publish",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the logs as static files into this folder, with the keys that verify them and a bundle.",
)
@click.option("--events", type=click.IntRange(20), hidden=True)
def demo(
    rate: float | None,
    data: Path | None,
    port: int | None,
    events: int | None,
    publish: Path | None,
    **flags: bool,
) -> None:
    """Show the whole service on real data.

    A model trained on real mortgage applications judges the rest of them. Its answers go to Kafka one by
    one; those it is not sure of, every refusal and a random share come to the desk, where you decide.
    """
    if flags["as_json"] and not flags["check"]:
        raise click.UsageError("--json goes with --check.")
    settings = _settings(port, is_check=flags["check"])
    if publish:
        _ready(publish, goes_on=bool(data or settings.database_url))
    if flags["check"]:
        told = {"rate": rate or 50, "events": events or EVENTS, "publish": publish}
        _check(settings, data, told, as_json=flags["as_json"])
        return
    from reviewsvc.local.children import interruptible

    with needed("local,demo"):
        from reviewsvc.demo.run import run
    with interruptible():
        run(settings, data, rate=rate or 2, events=events, echo=flags["logs"], publish=publish)


def _ready(folder: Path, *, goes_on: bool) -> None:
    """Make the folder for what is published; refuse one with the logs of other data, before anything runs."""
    if not goes_on and (folder / "logs").exists():
        raise click.UsageError(
            f"{folder} holds the logs of another run: name an empty folder, or with --data that run's data."
        )
    folder.mkdir(parents=True, exist_ok=True)


def _settings(port: int | None, *, is_check: bool) -> "Settings":
    """Return the settings with a free port: the one asked for, else for a check any, else from 8080 on."""
    from dataclasses import replace

    from reviewsvc import config
    from reviewsvc.local.ports import await_free, free_ports, next_free

    if port and not await_free(port):
        raise click.ClickException(
            f"Port {port} is taken: stop what listens there, choose another, or leave --port out."
        )
    free = port or (free_ports(1)[0] if is_check else next_free(FIRST_PORT))
    return replace(config.load(), port=free)


def _check(settings: "Settings", data: Path | None, told: dict[str, Any], *, as_json: bool) -> None:
    from reviewsvc.local.children import interruptible

    with needed("local,demo"):
        from reviewsvc.demo.check import check
    with interruptible():
        found = check(settings, data, **told)
    for line in found.faults[:MOST_FAULTS]:
        click.echo(f"Off: {line}", err=True)
    if len(found.faults) > MOST_FAULTS:
        click.echo(f"… and {len(found.faults) - MOST_FAULTS} more are off.", err=True)
    if as_json:
        click.echo(found.as_json())
    else:
        click.echo(found.as_text())
    sys.exit(1 if found.faults else 0)
