"""`reviewsvc web`: the pages and the API, served by gunicorn."""

import os
import shutil
from pathlib import Path

import click

NEEDED = ("DATABASE_URL", "REVIEWSVC_KEK_FILE", "REVIEWSVC_SECRET_KEY")


@click.command()
def web() -> None:
    """Serve the pages and the API."""
    from reviewsvc import config

    settings = config.load(*NEEDED)
    share_metrics(settings.data_dir / f"metrics-{settings.port}")

    from reviewsvc import telemetry
    from reviewsvc.server import Server

    telemetry.configure(process="web", level=settings.log_level)
    Server(settings).run()


def share_metrics(folder: Path) -> None:
    """Empty the folder through which the server's processes share their metrics, and name it to them.

    prometheus-client decides at its import whether metrics are shared: nothing may have imported it yet.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
