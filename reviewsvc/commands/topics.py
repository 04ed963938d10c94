"""`reviewsvc topics`: the Kafka topics that the service reads and writes."""

import click

DAY_MS = 24 * 60 * 60 * 1000


@click.group()
def topics() -> None:
    """Create the Kafka topics."""


@topics.command()
@click.option(
    "--keep-days", type=click.IntRange(1), help="How long their records stay; else the brokers' own time."
)
def create(keep_days: int | None) -> None:
    """Create those topics of the settings that do not exist yet; the others stay as they are."""
    from consumers import topics as kafka_topics
    from reviewsvc import config

    kafka = config.load("KAFKA_BOOTSTRAP_SERVERS").kafka
    made = kafka_topics.create(kafka, keep_ms=keep_days * DAY_MS if keep_days else None)
    for name, is_new in made.items():
        click.echo(f"{name} {'created' if is_new else 'exists'}")
