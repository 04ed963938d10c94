"""`reviewsvc worker`: the periodic steps."""

import click


@click.command()
def worker() -> None:
    """Run the periodic steps until told to stop."""
    from reviewsvc import config, telemetry
    from reviewsvc import worker as process

    settings = config.load("DATABASE_URL", "REVIEWSVC_KEK_FILE")
    telemetry.configure(process="worker", level=settings.log_level)
    process.main(settings)
