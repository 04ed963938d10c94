from collections.abc import Callable, Iterator

import pytest
from kafka import TopicPartition

from consumers import broker
from consumers.reader import Reader, RereadError
from consumers.settings import KafkaSettings

pytestmark = pytest.mark.real

MakeTopic = Callable[..., str]
PATIENCE_SECONDS = 30.0


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(bootstrap_servers,))


@pytest.fixture
def reader(kafka: KafkaSettings) -> Iterator[Reader]:
    made = Reader(kafka, client_id="test")
    yield made
    made.close()


@pytest.fixture
def partition(kafka: KafkaSettings, make_topic: MakeTopic) -> TopicPartition:
    """A partition with five records in one or more batches and then a commit marker at offset 5."""
    made = TopicPartition(make_topic(), 0)
    producer = broker.producer(kafka, client_id="test", transactional_id=made.topic)
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(5):
        producer.send(made.topic, b"%d" % number, partition=0)
    producer.flush(timeout=PATIENCE_SECONDS)
    producer.commit_transaction()
    producer.close(timeout=PATIENCE_SECONDS)
    return made


def test_a_stored_record_is_read_again(reader: Reader, partition: TopicPartition) -> None:
    for offset in (3, 0, 3):
        found = reader.record_at(partition, offset, PATIENCE_SECONDS)
        assert found.record is not None
        assert (found.record[0], found.record[3]) == (offset, b"%d" % offset)
        assert found.leader_epoch == 0


def test_a_marker_is_there_without_a_record(reader: Reader, partition: TopicPartition) -> None:
    found = reader.record_at(partition, 5, PATIENCE_SECONDS)
    assert (found.record, found.still_there) == (None, True)


def test_an_offset_that_is_gone_or_not_there_yet_is_told(
    kafka: KafkaSettings, reader: Reader, partition: TopicPartition
) -> None:
    admin = broker.admin(kafka, client_id="test")
    admin.delete_records({partition: 2})
    admin.close()
    assert not reader.record_at(partition, 1, PATIENCE_SECONDS).still_there
    assert not reader.record_at(partition, 50, PATIENCE_SECONDS).still_there
    with pytest.raises(RereadError, match="Offset 6 of"):
        reader.record_at(partition, 6, 0.3)
