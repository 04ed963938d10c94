"""`reviewsvc web`: the pages and the API, served by gunicorn."""

import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import click

NEEDED = ("DATABASE_URL", "REVIEWSVC_KEK_FILE", "REVIEWSVC_SECRET_KEY")


@click.command()
def web() -> None:
    """Serve the pages and the API."""
    from reviewsvc import config

    settings = config.load(*NEEDED)
    refuse_taken_port(settings.bind, settings.port)
    refuse_restored(settings.database_url)
    share_metrics(settings.data_dir / f"metrics-{settings.port}")

    from reviewsvc import telemetry
    from reviewsvc.server import Server

    telemetry.configure(process="web", level=settings.log_level)
    Server(settings).run()


def refuse_taken_port(host: str, port: int) -> None:
    """Raise ClickException if the address cannot be listened on, before anything of its user is touched."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise click.ClickException(
            f"Cannot listen on {host}:{port} ({why}); set REVIEWSVC_PORT to a free port."
        ) from error


def refuse_restored(url: str) -> None:
    """Raise RestoredError if the database was restored and not adopted; one that is away is met later."""
    import psycopg

    from reviewsvc.db.hot import guards
    from reviewsvc.db.hot.connection import connect

    with suppress(psycopg.Error, guards.UnconfirmedError), connect(url, "web") as conn:
        guards.check(conn)


def share_metrics(folder: Path) -> None:
    """Empty the folder through which the server's processes share their metrics, and name it to them.

    prometheus-client decides at its import whether metrics are shared: nothing may have imported it yet.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
