"""`reviewsvc topics`: the Kafka topics that the service reads and writes."""

import click

from reviewsvc.commands.house import acting, as_json, opened, show

DAY_MS = 24 * 60 * 60 * 1000


@click.group()
def topics() -> None:
    """Create the Kafka topics, and accept one that was made again."""


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


@topics.command()
@click.argument("topic")
@acting
@as_json
def accept(topic: str, user: str | None, *, as_json: bool) -> None:
    """Let the relay send everything again, once, to a TOPIC that was deleted and made again.

    Its readers must know first: their offsets mean other records now. Refused for a topic that still is
    the one that was sent to.
    """
    from consumers import topics as kafka_topics
    from reviewsvc import config
    from reviewsvc.usecases import topic_acceptance

    topic_id = kafka_topics.id_of(config.load("KAFKA_BOOTSTRAP_SERVERS").kafka, topic)
    with opened(user) as house:
        logs = topic_acceptance.accept(
            house.sessions, house.keyring, topic, topic_id, actor=house.actor, at=house.at
        )
    if as_json:
        show({"topic": topic, "topic_id": topic_id, "logs": logs})
        return
    click.echo(f"Everything of {', '.join(logs)} is sent again to {topic}.")
