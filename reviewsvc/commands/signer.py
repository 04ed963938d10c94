"""`reviewsvc signer`: the process that signs, with keys that no other process sees."""

import click


@click.command()
def signer() -> None:
    """Sign checkpoints for whoever may open REVIEWSVC_SIGNER_SOCKET, until told to stop.

    It knows no database, and never signs two checkpoints of a log that contradict each other.
    """
    from reviewsvc import config, telemetry
    from reviewsvc import signer as process

    settings = config.load("REVIEWSVC_SIGNING_KEY_FILE", "REVIEWSVC_SIGNER_SOCKET")
    telemetry.configure(process="signer", level=settings.log_level)
    process.main(settings)
