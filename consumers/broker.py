"""The only place that makes Kafka clients, each with the options that capture and relay rely on."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from kafka import (
    IsolationLevel,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetSpec,
    TopicPartition,
)
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import TopicAlreadyExistsError, for_code

from consumers import sockets
from consumers.connection import Client, connected
from consumers.settings import KafkaSettings

MIB = 1024 * 1024
_REQUEST_MS = 15_000
_ADMIN_REQUEST_MS = 10_000


sockets.widen()


class TopicError(Exception):
    """A topic is missing or is not as it must be; the text says what to do."""


def consumer(
    settings: KafkaSettings,
    *,
    client_id: str,
    group_id: str | None = None,
    fetch_bytes: int = 16 * MIB,
    partition_bytes: int = 4 * MIB,
) -> KafkaConsumer:
    """Make a consumer that reads committed records and never decides by itself where to begin.

    With a group it joins by cooperative-sticky, statically if the settings name an instance.
    Raises UnreachableError.
    """
    group: dict[str, Any] = {}
    if group_id is not None:
        group = {
            "group_id": group_id,
            "group_instance_id": settings.group_instance_id or None,
            "partition_assignment_strategy": (CooperativeStickyAssignor(),),
            "session_timeout_ms": settings.session_timeout_ms,
            "heartbeat_interval_ms": settings.session_timeout_ms // 10,
        }
    made = connected(
        KafkaConsumer,
        settings,
        _REQUEST_MS,
        **group,
        client_id=client_id,
        auto_offset_reset="none",
        isolation_level="read_committed",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        fetch_max_bytes=fetch_bytes,
        max_partition_fetch_bytes=partition_bytes,
        metrics_enabled=False,
    )
    return _not_creating(made, made._cluster)  # noqa: SLF001 - see there


def producer(
    settings: KafkaSettings, *, client_id: str, transactional_id: str | None = None
) -> KafkaProducer:
    """Make a producer without doubles: idempotent, acknowledged by all, transactional if an id is given."""
    made = connected(
        KafkaProducer,
        settings,
        _REQUEST_MS,
        client_id=client_id,
        transactional_id=transactional_id,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_in_flight_requests_per_connection=5,
        linger_ms=5,
        batch_size=256 * 1024,
        max_request_size=16 * MIB,
        max_block_ms=30_000,
        delivery_timeout_ms=60_000,
        transaction_timeout_ms=60_000,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    return _not_creating(made, made._metadata)  # noqa: SLF001 - see there


def _not_creating(made: Client, metadata: Any) -> Client:  # noqa: ANN401 - kafka-python ships no types
    """Keep a client's metadata requests from creating topics: 3.0.12 drops `allow_auto_create_topics`."""
    metadata.config["allow_auto_create_topics"] = False
    return made


def admin(settings: KafkaSettings, *, client_id: str) -> KafkaAdminClient:
    """Make a client for topics and offsets; each of its calls ends within about 10 s."""
    return connected(KafkaAdminClient, settings, _ADMIN_REQUEST_MS, client_id=client_id)


def topic_id(client: KafkaAdminClient, topic: str) -> UUID:
    """Ask the brokers for a topic's id: it changes when the topic is deleted and made again.

    Raises TopicError if there is no such topic, KafkaError if nobody answers in time.
    """
    found = _described(client, topic)
    return UUID(str(found["topic_id"]))


def partitions(client: KafkaAdminClient, topic: str) -> int:
    """Count a topic's partitions; raises like `topic_id`."""
    return len(_described(client, topic)["partitions"])


def refuse_compacted(client: KafkaAdminClient, topic: str) -> None:
    """Raise TopicError if the topic's old records may vanish one by one: holes could not be explained."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": None})
    found = client.describe_configs([resource], config_filter="all")
    policy = found["topic"][topic]["cleanup.policy"]["value"]
    if "compact" in policy.split(","):
        raise TopicError(
            f"Topic {topic!r} is compacted (cleanup.policy={policy}): set cleanup.policy=delete, since a "
            "record that vanishes could not be told from one that was lost."
        )


def create_topics(
    client: KafkaAdminClient, wanted: Mapping[str, int], *, replication: int = 1, keep_ms: int | None = None
) -> list[str]:
    """Make the topics (name to number of partitions) that do not exist yet, and wait until they can be used.

    `keep_ms` is their retention in milliseconds, if not the brokers' own. Returns the names of those made.
    """
    configs = {} if keep_ms is None else {"retention.ms": str(keep_ms)}
    made = []
    for name, count in wanted.items():
        topic = {"num_partitions": count, "replication_factor": replication, "configs": configs}
        try:
            client.create_topics({name: topic}, timeout_ms=_ADMIN_REQUEST_MS)
        except TopicAlreadyExistsError:
            continue
        made.append(name)
    client.wait_for_topics(made, timeout_ms=_ADMIN_REQUEST_MS)
    return made


def beginning_offsets(
    client: KafkaAdminClient, wanted: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Give the oldest offset that each partition still has."""
    return _offsets(client, wanted, OffsetSpec.EARLIEST, IsolationLevel.READ_UNCOMMITTED)


def end_offsets(
    client: KafkaAdminClient, wanted: Iterable[TopicPartition], *, committed: bool
) -> dict[TopicPartition, int]:
    """Give the offset behind each partition's last record.

    With `committed`, records of transactions that are still open, and what came after them, do not count.
    """
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    return _offsets(client, wanted, OffsetSpec.LATEST, level)


def _offsets(
    client: KafkaAdminClient, wanted: Iterable[TopicPartition], spec: OffsetSpec, level: IsolationLevel
) -> dict[TopicPartition, int]:
    asked = dict.fromkeys(wanted, spec)
    if not asked:
        return {}
    found = client.list_partition_offsets(asked, isolation_level=level, timeout_ms=_ADMIN_REQUEST_MS)
    return {partition: where.offset for partition, where in found.items()}


def _described(client: KafkaAdminClient, topic: str) -> dict[str, Any]:
    (found,) = client.describe_topics([topic])
    if found["error_code"]:
        raise TopicError(
            f"Topic {topic!r} cannot be used ({for_code(found['error_code']).__name__}): create it with "
            "`reviewsvc topics create`, or correct the topics' names in the settings."
        )
    described: dict[str, Any] = found
    return described
