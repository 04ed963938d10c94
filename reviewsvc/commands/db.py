"""`reviewsvc db`: the tables, and who logs in."""

from pathlib import Path

import click


@click.group()
def db() -> None:
    """Make and upgrade the tables."""


@db.command()
@click.option(
    "--login",
    "logins",
    metavar="GROUP=FILE",
    multiple=True,
    help="Make the log-in of the URL in FILE too, as a member of GROUP: web, capture, relay, worker or read.",
)
def upgrade(logins: tuple[str, ...]) -> None:
    """Bring the tables, roles and grants up to this release, as the database's owner."""
    from reviewsvc import config
    from reviewsvc.db import logins as database_logins
    from reviewsvc.db import schema

    wanted = [_login(each) for each in logins]
    owner_url = config.load("DATABASE_OWNER_URL").database_owner_url
    schema.upgrade(owner_url)
    for group, url in wanted:
        database_logins.make_from_url(owner_url, url, group)
    click.echo("The tables are up to date.", err=True)


def _login(given: str) -> tuple[str, str]:
    group, _, file = given.partition("=")
    if not file:
        raise click.UsageError(f"--login must be GROUP=FILE, not {given!r}.")
    return group, Path(file).read_text().strip()
