"""`reviewsvc apply`: contracts, policies and queues from files, with what differs shown first."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reviewsvc.commands.house import acting, as_json, opened, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewsvc.usecases.apply import Change
    from reviewsvc.usecases.documents import Document

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


@click.command()
@click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A YAML file, or a folder of them; may be given again.",
)
@click.option("--yes", is_flag=True, help="Apply without asking.")
@acting
@as_json
def apply(paths: "tuple[Path, ...]", user: str | None, *, yes: bool, as_json: bool) -> None:
    """Apply contracts, policies and queues from files, all or none; what is in force already stays.

    With --json and without --yes it shows what would change, and changes nothing.
    """
    from reviewsvc.usecases import apply as use

    documents = _read(paths)
    with opened(user) as house:
        changes = use.plan(house.sessions, documents)
        agreed = yes or (not as_json and _asked(changes))
        if agreed and changes:
            changes = use.apply(house.sessions, house.keyring, documents, actor=house.actor, at=house.at)
    if as_json:
        show({"applied": agreed, "changes": [change._asdict() for change in changes]})
    elif yes:
        _tell(changes)
    if not as_json:
        click.echo(f"{len(changes)} applied." if agreed and changes else "Nothing changed.")


def _read(paths: "Sequence[Path]") -> "list[Document]":
    from reviewsvc.usecases.documents import read_documents

    return [document for path in paths for document in read_documents(path)]


def _asked(changes: "Sequence[Change]") -> bool:
    _tell(changes)
    return bool(changes) and click.confirm("Apply?", err=True)


def _tell(changes: "Sequence[Change]") -> None:
    for change in changes:
        click.secho(f"{change.kind} {change.name}, version {change.version} ({change.file})", bold=True)
        for line in change.difference:
            click.secho(f"  {line}", fg=_COLOURS.get(line[0]))
