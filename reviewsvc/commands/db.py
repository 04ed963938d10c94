"""`reviewsvc db`: the tables."""

import click


@click.group()
def db() -> None:
    """Make and upgrade the tables."""


@db.command()
def upgrade() -> None:
    """Bring the tables, roles and grants up to this release, as the database's owner."""
    from reviewsvc import config
    from reviewsvc.db import schema

    settings = config.load("DATABASE_OWNER_URL")
    schema.upgrade(settings.database_owner_url)
    click.echo("The tables are up to date.", err=True)
