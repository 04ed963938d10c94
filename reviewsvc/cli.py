"""The command line: names its commands, loads only the one that is called, and ends in one clear line."""

import importlib
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import click


class Target(NamedTuple):
    """Where a command stands (`module:attribute`), and what it does in a few words."""

    place: str
    purpose: str


COMMANDS: Final = {
    "demo": Target("reviewsvc.commands.demo:demo", "Show the whole service on real data, on this machine."),
    "up": Target("reviewsvc.commands.up:up", "Run the whole service on this machine, data kept."),
    "web": Target("reviewsvc.commands.web:web", "Serve the pages and the API."),
    "worker": Target("reviewsvc.commands.worker:worker", "Run the periodic steps."),
    "consume": Target("reviewsvc.commands.consume:consume", "Capture from Kafka, or relay to it."),
    "signer": Target("reviewsvc.commands.signer:signer", "Sign checkpoints, behind a socket."),
    "witness": Target("reviewsvc.commands.witness:witness", "Cosign checkpoints of logs, over HTTP."),
    "db": Target("reviewsvc.commands.db:db", "Make and upgrade the tables."),
    "topics": Target("reviewsvc.commands.topics:topics", "Create the Kafka topics, accept one made again."),
    "apply": Target("reviewsvc.commands.apply:apply", "Apply contracts, policies and queues from files."),
    "audit": Target("reviewsvc.commands.audit:audit", "Verify the logs, and publish them."),
    "keys": Target("reviewsvc.commands.keys:keys", "Make and change the keys that sign and wrap."),
    "backup": Target("reviewsvc.commands.backup:backup", "Back the database up, its keys apart."),
    "restore": Target("reviewsvc.commands.restore:restore", "Restore a backup, and adopt what was restored."),
    "labels": Target("reviewsvc.commands.labels:labels", "Pull labels for retraining."),
    "queues": Target("reviewsvc.commands.queues:queues", "Show the queues and what waits in them."),
    "capture": Target("reviewsvc.commands.capture:capture", "Show capture's places, consent to gaps."),
    "subjects": Target("reviewsvc.commands.subjects:subjects", "Erase, export and hold subjects."),
    "retention": Target("reviewsvc.commands.retention:retention", "Show what is kept, drop what is past."),
    "quarantine": Target("reviewsvc.commands.quarantine:quarantine", "Show events that could not be read."),
    "users": Target("reviewsvc.commands.users:users", "Add people and grant them roles."),
    "tokens": Target("reviewsvc.commands.tokens:tokens", "Create tokens for programs."),
}

OURS: Final = ("reviewsvc", "consumers")
EXPECTED: Final = {
    ("psycopg", "OperationalError"),
    ("psycopg_pool", "PoolTimeout"),
    ("sqlalchemy", "OperationalError"),
    ("kafka", "KafkaError"),
}
COULD_NOT_RUN: Final = {"audit": 3}
FAILED: Final = 1
INTERRUPTED: Final = 130


class Lazy(click.Group):
    """A group that imports a command's module when the command is called, and never to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which a reader meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command's module and return the command."""
        return resolve(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands from their purposes alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, target.purpose) for name, target in COMMANDS.items()])


def resolve(name: str) -> click.Command | None:
    """Import and return the command of this name, or None if there is none."""
    if name not in COMMANDS:
        return None
    module, _, attribute = COMMANDS[name].place.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reviewsvc")
def cli() -> None:
    """Capture every prediction, bring the uncertain ones to people, and give their answers back as labels."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit; an expected failure is one line on stderr, never a trace."""
    given = list(sys.argv[1:] if args is None else args)
    failed = COULD_NOT_RUN.get(next((word for word in given if not word.startswith("-")), ""), FAILED)
    try:
        code = cli.main(given, prog_name="reviewsvc", standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = failed
    except Exception as error:
        # Where an exit code is a verdict, a crash must not end with one.
        if not is_expected(error) and failed == FAILED:
            raise
        click.echo(f"Error: {told(error)}", err=True)
        code = failed
    sys.exit(code if isinstance(code, int) else 0)


def is_expected(error: BaseException) -> bool:
    """Say whether an error's text is a message for the user: our own errors, and services that are away."""
    for kind in type(error).__mro__:
        room = kind.__module__.partition(".")[0]
        if room in OURS or (room, kind.__name__) in EXPECTED:
            return True
    return isinstance(error, OSError)


def told(error: BaseException) -> str:
    """Return an error's text as a user reads it; of one that nobody expected, in one line, its kind too."""
    if not is_expected(error):
        return f"it broke off by {type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if type(error).__module__.partition(".")[0] in OURS:
        return str(error).strip()
    # What the driver said, without SQLAlchemy's words around it.
    return " ".join(str(getattr(error, "orig", None) or error).split())


if __name__ == "__main__":
    main()
