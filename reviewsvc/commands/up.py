"""`reviewsvc up`: the whole service on this machine, its data kept in a folder."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from reviewsvc.commands.extras import needed

if TYPE_CHECKING:
    from reviewsvc.local.up import Service


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the data is kept.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of the pages and the API; else 8080.")
@click.option("--logs", is_flag=True, help="Show what the processes write to their logs.")
def up(data: Path | None, port: int | None, *, logs: bool) -> None:
    """Run the whole service on this machine until Ctrl-C.

    PostgreSQL and Kafka are started too, unless DATABASE_OWNER_URL and KAFKA_BOOTSTRAP_SERVERS name others.
    The data is in ~/.local/share/reviewsvc, or in REVIEWSVC_DATA_DIR; starting again goes on with it.
    """
    from dataclasses import replace

    from reviewsvc import config
    from reviewsvc.local.children import interruptible
    from reviewsvc.local.datafolder import DataFolder, usual_folder
    from reviewsvc.local.ports import await_free

    with needed("local"):
        from reviewsvc.local.up import running

    settings = config.load()
    settings = replace(settings, port=port or settings.port)
    if not await_free(settings.port):
        raise click.ClickException(
            f"Port {settings.port} is taken: stop what listens there, or choose another with --port."
        )
    given = settings.data_dir if settings.data_dir != config.DATA_DIR else usual_folder()
    with interruptible(), running(settings, DataFolder((data or given).absolute()), echo=logs) as service:
        _greet(service)
        try:
            service.keeper.wait()
        except KeyboardInterrupt:
            click.echo(err=True)


def _greet(service: "Service") -> None:
    from reviewsvc.local.log_ins import first_admin

    admin = first_admin(service.sessions, service.keyring)
    kafka = service.settings.kafka
    lines = ["", f"  {service.settings.public_url}", ""]
    if admin:
        lines += [f"  First log-in (shown once):  {admin.login}  {admin.password}", ""]
    lines += [
        f"  Data, keys and logs are in {service.folder.path}; back it up as a whole.",
        f"  For other commands:  set -a; . {quote(str(service.folder.environment))}; set +a",
        f"  Send predictions to {kafka.prediction_topics[0]} at {','.join(kafka.bootstrap_servers)}.",
        "  Ctrl-C stops everything; the data stays.",
    ]
    click.echo("\n".join(lines))
