"""`reviewsvc witness`: cosign checkpoints of logs, ours or other people's."""

from pathlib import Path
from typing import Any

import click


@click.group(invoke_without_command=True)
@click.pass_context
def witness(context: click.Context) -> None:
    """Cosign checkpoints that extend those cosigned before, until told to stop (C2SP tlog-witness).

    POST /add-checkpoint on REVIEWSVC_BIND and REVIEWSVC_PORT, for the logs whose verifier keys are in
    REVIEWSVC_WITNESS_LOGS_FILE. It knows no database: run it on a machine of its own, by other people.
    """
    if context.invoked_subcommand is None:
        _run()


@witness.command()
@click.argument("name")
@click.option(
    "--new-state", is_flag=True, help="Begin with an empty memory, for a witness that never cosigned."
)
def keys(name: str, *, new_state: bool) -> None:
    """Make the key in REVIEWSVC_WITNESS_KEY_FILE under NAME, such as partner.example/w, and print its vkey.

    What exists stays as it is. Houses that this witness cosigns for put the vkey into their policy.
    """
    from reviewsvc.crypto.cosigner import make_keys

    settings = _settings("REVIEWSVC_WITNESS_KEY_FILE")
    path = Path(settings.witness_key_file)
    state = Path(settings.witness_state_file or f"{path}.state")
    for each in make_keys(path, name, state, new_state=new_state):
        click.echo(each.verifier().text())


def _run() -> None:
    from reviewsvc import telemetry
    from reviewsvc import witness as process

    settings = _settings("REVIEWSVC_WITNESS_KEY_FILE", "REVIEWSVC_WITNESS_LOGS_FILE")
    telemetry.configure(process="witness", level=settings.log_level)
    process.main(settings)


def _settings(*needed: str) -> Any:  # noqa: ANN401 - the settings' class is imported late
    from reviewsvc import config

    return config.load(*needed)
