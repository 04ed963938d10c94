from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient, TopicPartition

from consumers import broker
from consumers.broker import TopicError
from consumers.settings import KafkaSettings

pytestmark = pytest.mark.real

MakeTopic = Callable[..., str]


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(bootstrap_servers,))


@pytest.fixture
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    client = broker.admin(kafka, client_id="test")
    yield client
    client.close()


def test_topics_are_created_once(admin: KafkaAdminClient, make_topic: MakeTopic) -> None:
    old = make_topic(partitions=1)
    wanted = {old: 4, f"{old}-new": 2}
    assert broker.create_topics(admin, wanted) == [f"{old}-new"]
    assert broker.create_topics(admin, wanted) == []
    assert [broker.partitions(admin, name) for name in wanted] == [1, 2]


def test_a_topic_made_again_has_another_id(admin: KafkaAdminClient, make_topic: MakeTopic) -> None:
    topic = make_topic()
    before = broker.topic_id(admin, topic)
    assert before == broker.topic_id(admin, topic)
    admin.delete_topics([topic])
    broker.create_topics(admin, {topic: 1})
    assert broker.topic_id(admin, topic) != before


def test_a_missing_topic_is_named_with_what_to_do(admin: KafkaAdminClient) -> None:
    with pytest.raises(TopicError, match=r"'no-such-topic' .*UnknownTopicOrPartitionError.*topics create"):
        broker.topic_id(admin, "no-such-topic")


def test_a_compacted_topic_is_refused(admin: KafkaAdminClient, make_topic: MakeTopic) -> None:
    broker.refuse_compacted(admin, make_topic())
    compacted = make_topic()
    admin.create_topics({f"{compacted}-c": {"configs": {"cleanup.policy": "compact"}}})
    with pytest.raises(TopicError, match="compacted"):
        broker.refuse_compacted(admin, f"{compacted}-c")


def test_beginning_and_end_offsets_are_told(
    kafka: KafkaSettings, admin: KafkaAdminClient, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    producer = broker.producer(kafka, client_id="test")
    for _ in range(3):
        producer.send(partition.topic, b"x")
    producer.flush(timeout=30)
    producer.close(timeout=30)
    assert broker.end_offsets(admin, [partition], committed=True) == {partition: 3}
    admin.delete_records({partition: 2})
    assert broker.beginning_offsets(admin, [partition]) == {partition: 2}
    assert broker.end_offsets(admin, [], committed=True) == {}


def test_no_client_creates_a_topic_by_asking_for_it(kafka: KafkaSettings) -> None:
    consumer, producer = broker.consumer(kafka, client_id="test"), broker.producer(kafka, client_id="test")
    asked = [each.metadata_request() for each in (consumer._cluster, producer._metadata)]
    consumer.close(timeout_ms=5000)
    producer.close(timeout=5)
    assert [each.allow_auto_topic_creation for each in asked] == [False, False]
