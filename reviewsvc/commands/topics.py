"""`reviewsvc topics`: the Kafka topics that the service reads and writes."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reviewsvc.config import Kafka

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
    from consumers import broker
    from consumers.settings import from_settings
    from reviewsvc import config

    kafka = config.load("KAFKA_BOOTSTRAP_SERVERS").kafka
    client = broker.admin(from_settings(kafka), client_id="reviewsvc-topics")
    try:
        made = broker.create_topics(
            client,
            dict.fromkeys(wanted(kafka), kafka.topic_partitions),
            replication=kafka.topic_replication,
            keep_ms=keep_days * DAY_MS if keep_days else None,
        )
    finally:
        client.close()
    for name in wanted(kafka):
        click.echo(f"{name} {'created' if name in made else 'exists'}")


def wanted(kafka: "Kafka") -> list[str]:
    """Return the names of all topics of the settings, those that are read first."""
    return [
        *kafka.prediction_topics,
        *kafka.outcome_topics,
        kafka.labels_topic,
        kafka.decisions_topic,
        kafka.checkpoints_topic,
    ]
