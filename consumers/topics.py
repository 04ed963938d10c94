"""Makes the topics of the settings, and refuses one to be captured whose records may vanish."""

from typing import TYPE_CHECKING

from consumers import broker
from consumers.settings import from_settings

if TYPE_CHECKING:
    from reviewsvc.config import Kafka


def wanted(kafka: "Kafka") -> list[str]:
    """Return the names of all topics of the settings, those that are read first."""
    return [
        *kafka.prediction_topics,
        *kafka.outcome_topics,
        kafka.labels_topic,
        kafka.decisions_topic,
        kafka.checkpoints_topic,
    ]


def id_of(kafka: "Kafka", topic: str) -> str:
    """Ask the brokers for a topic's id. Raises TopicError, UnreachableError."""
    client = broker.admin(from_settings(kafka), client_id="reviewsvc-topics")
    try:
        return str(broker.topic_id(client, topic))
    finally:
        client.close()


def create(kafka: "Kafka", *, keep_ms: int | None = None) -> dict[str, bool]:
    """Create the topics that do not exist yet; say of each whether it was made now.

    `keep_ms` is the retention, in milliseconds, of those made; without it the brokers' own holds.
    Raises TopicError if a topic that is captured is compacted, UnreachableError if no broker answers.
    """
    client = broker.admin(from_settings(kafka), client_id="reviewsvc-topics")
    try:
        made = broker.create_topics(
            client,
            dict.fromkeys(wanted(kafka), kafka.topic_partitions),
            replication=kafka.topic_replication,
            keep_ms=keep_ms,
        )
        for captured in (*kafka.prediction_topics, *kafka.outcome_topics):
            broker.refuse_compacted(client, captured)
    finally:
        client.close()
    return {name: name in made for name in wanted(kafka)}
