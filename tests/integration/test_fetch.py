from collections.abc import Callable, Iterator
from threading import Thread
from time import monotonic

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.record import MemoryRecords

from consumers import broker
from consumers.decoder import Batch, Decoder, Fault
from consumers.fetch import Polled, RawFetch, Stopped
from consumers.settings import KafkaSettings
from consumers.undecoded import Chunk
from tests.unit.batches import batch, values

pytestmark = pytest.mark.real

MakeTopic = Callable[..., str]
PATIENCE_SECONDS = 30.0


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(bootstrap_servers,), session_timeout_ms=6000)


@pytest.fixture
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    client = broker.admin(kafka, client_id="test")
    yield client
    client.close()


@pytest.fixture
def fetch(kafka: KafkaSettings) -> Iterator[RawFetch]:
    made = RawFetch(broker.consumer(kafka, client_id="test"))
    yield made
    made.close()


@pytest.fixture
def members(kafka: KafkaSettings) -> Iterator[Callable[[str], RawFetch]]:
    made: list[RawFetch] = []

    def member(group: str) -> RawFetch:
        made.append(RawFetch(broker.consumer(kafka, client_id="test", group_id=group)))
        return made[-1]

    yield member
    for each in made:
        each.close()


def send(kafka: KafkaSettings, partition: TopicPartition, values: list[bytes]) -> None:
    producer = broker.producer(kafka, client_id="test")
    for value in values:
        producer.send(partition.topic, value, partition=partition.partition)
    producer.flush(timeout=PATIENCE_SECONDS)
    producer.close(timeout=PATIENCE_SECONDS)


def transact(producer: KafkaProducer, partition: TopicPartition, value: bytes, *, commit: bool) -> None:
    producer.begin_transaction()
    producer.send(partition.topic, value, partition=partition.partition)
    producer.flush(timeout=PATIENCE_SECONDS)
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()


def batches(polled: list[Polled]) -> list[Batch]:
    found = [each for answer in polled for part in answer.parts for each in part.batches]
    assert all(isinstance(each, Batch) for each in found)
    return [each for each in found if isinstance(each, Batch)]


def read(fetch: RawFetch, until: Callable[[list[Polled]], bool], max_records: int = 5000) -> list[Polled]:
    polled: list[Polled] = []
    deadline = monotonic() + PATIENCE_SECONDS
    while not until(polled):
        assert monotonic() < deadline, polled
        polled.append(fetch.poll(max_records, 0.5))
    return polled


def read_to(fetch: RawFetch, offset: int, max_records: int = 5000) -> list[Polled]:
    return read(
        fetch,
        lambda polled: [part.next_offset for each in polled for part in each.parts][-1:] == [offset],
        max_records,
    )


def test_records_come_in_batches_without_holes(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    values = [b"event %d" % number for number in range(2000)]
    send(kafka, partition, values)
    fetch.assign([partition])
    assert fetch.start(partition, 0)
    found = batches(read_to(fetch, 2000))
    assert [record[3] for each in found for record in each.records] == values
    assert [each.base_offset for each in found] == [0, *(each.last_offset + 1 for each in found[:-1])]


def test_a_poll_gives_about_as_much_as_it_was_asked_for_and_the_rest_later(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    for start in range(0, 300, 30):
        send(kafka, partition, [b"%d" % number for number in range(start, start + 30)])
    fetch.assign([partition])
    fetch.start(partition, 0)
    polled = [each for each in read_to(fetch, 300, max_records=60) if each.parts]
    sizes = [sum(len(each.records) for each in batches([one])) for one in polled]
    assert sum(sizes) == 300
    assert max(sizes) < 120


def test_starting_inside_a_batch_leaves_out_what_is_older(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    send(kafka, partition, [b"%d" % number for number in range(50)])
    fetch.assign([partition])
    fetch.start(partition, 37)
    found = batches(read_to(fetch, 50))
    assert found[0].base_offset <= 37 <= found[0].last_offset
    assert [record[0] for each in found for record in each.records] == list(range(37, 50))


def test_aborted_records_and_markers_are_walked_but_not_given(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    producer = broker.producer(kafka, client_id="test", transactional_id=partition.topic)
    producer.init_transactions()
    transact(producer, partition, b"kept", commit=True)
    transact(producer, partition, b"dropped", commit=False)
    transact(producer, partition, b"kept too", commit=True)
    producer.close(timeout=PATIENCE_SECONDS)
    fetch.assign([partition])
    fetch.start(partition, 0)
    found = batches(read_to(fetch, 6))
    assert [record[3] for each in found for record in each.records] == [b"kept", b"kept too"]
    assert [(each.is_control, each.is_aborted) for each in found] == [
        (False, False),
        (True, False),
        (False, True),
        (True, False),
        (False, False),
        (True, False),
    ]


def test_what_an_open_transaction_holds_back_shows_as_a_difference_of_ends(
    kafka: KafkaSettings, admin: KafkaAdminClient, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    producer = broker.producer(kafka, client_id="test", transactional_id=partition.topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(partition.topic, b"open", partition=0)
    producer.flush(timeout=PATIENCE_SECONDS)
    assert broker.end_offsets(admin, [partition], committed=False) == {partition: 1}
    assert broker.end_offsets(admin, [partition], committed=True) == {partition: 0}
    fetch.assign([partition])
    fetch.start(partition, 0)
    assert fetch.poll(10, 0.2).parts == []
    producer.commit_transaction()
    producer.close(timeout=PATIENCE_SECONDS)
    assert [record[3] for each in batches(read_to(fetch, 2)) for record in each.records] == [b"open"]


def test_an_offset_that_the_broker_does_not_have_stops_the_partition_once(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition, other = (TopicPartition(make_topic(), 0) for _ in range(2))
    send(kafka, partition, [b"one"])
    send(kafka, other, [b"other"])
    fetch.assign([partition, other])
    fetch.start(partition, 40)
    fetch.start(other, 0)
    polled = read(
        fetch, lambda polled: any(each.stopped for each in polled) and any(each.parts for each in polled)
    )
    stopped = [each.stopped for each in polled if each.stopped]
    assert stopped == [{partition: Stopped("the broker does not have offset 40", lost=True)}]
    assert [part.partition for each in polled for part in each.parts] == [other]
    assert fetch.poll(10, 0.3) == Polled()
    assert fetch.start(partition, 0)
    assert len(batches(read_to(fetch, 1))) == 1


def test_a_stopped_partition_gives_nothing_until_it_is_started_again(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    send(kafka, partition, [b"one"])
    fetch.assign([partition])
    fetch.start(partition, 0)
    read_to(fetch, 1)
    fetch.stop(partition)
    send(kafka, partition, [b"two"])
    assert fetch.poll(10, 0.3) == Polled()
    fetch.start(partition, 1)
    assert [record[3] for each in batches(read_to(fetch, 2)) for record in each.records] == [b"two"]


def test_a_member_is_given_nothing_before_it_starts_its_partitions(
    kafka: KafkaSettings, members: Callable[[str], RawFetch], make_topic: MakeTopic
) -> None:
    topic = make_topic(partitions=2)
    both = {TopicPartition(topic, 0), TopicPartition(topic, 1)}
    for partition in both:
        send(kafka, partition, [b"x"])
    member = members(topic)
    member.subscribe([topic])
    gained: set[TopicPartition] = set()
    deadline = monotonic() + PATIENCE_SECONDS
    while gained != both:
        assert monotonic() < deadline
        assert member.poll(10, 0.2) == Polled()
        gained |= member.changes().gained
    assert all(member.start(partition, 0) for partition in both)
    polled = read(member, lambda polled: len([part for each in polled for part in each.parts]) == 2)
    assert {part.partition for each in polled for part in each.parts} == both


def test_a_second_member_takes_one_of_two_partitions_and_the_first_hears_of_it(
    members: Callable[[str], RawFetch], make_topic: MakeTopic
) -> None:
    topic = make_topic(partitions=2)
    both = {TopicPartition(topic, 0), TopicPartition(topic, 1)}
    owned: list[set[TopicPartition]] = [set(), set()]

    def own(index: int, member: RawFetch, until: Callable[[], bool]) -> None:
        member.subscribe([topic])
        deadline = monotonic() + PATIENCE_SECONDS
        while not until() and monotonic() < deadline:
            member.poll(10, 0.5)
            changes = member.changes()
            owned[index] = (owned[index] - changes.lost) | changes.gained

    def shared() -> bool:
        return len(owned[0]) == len(owned[1]) == 1

    first, second = members(topic), members(topic)
    own(0, first, lambda: owned[0] == both)
    other = Thread(target=own, args=(1, second, shared))
    other.start()
    own(0, first, shared)
    other.join()
    assert owned[0] | owned[1] == both
    (lost,) = owned[1]
    assert not first.start(lost, 0)


def test_an_answer_is_noted_although_it_is_empty(fetch: RawFetch, make_topic: MakeTopic) -> None:
    partition = TopicPartition(make_topic(), 0)
    fetch.assign([partition])
    fetch.start(partition, 0)
    before = fetch.answered_at
    read(fetch, lambda _: fetch.answered_at > before)
    assert fetch.stable_end(partition) == 0


def test_a_batch_damaged_on_its_way_stops_the_partition_before_it_and_a_new_start_reads_it(
    kafka: KafkaSettings, fetch: RawFetch, make_topic: MakeTopic
) -> None:
    partition = TopicPartition(make_topic(), 0)
    for value in (b"good", b"hit", b"later"):
        send(kafka, partition, [value])
    fetcher = fetch._consumer._fetcher
    undamaged = fetcher.PartitionRecords

    def damaged(offset: int, tp: TopicPartition, records: MemoryRecords, **named: object) -> object:
        fetcher.PartitionRecords = undamaged
        return undamaged(offset, tp, MemoryRecords(records._buffer.replace(b"hit", b"HIT")), **named)

    fetcher.PartitionRecords = damaged
    fetch.assign([partition])
    fetch.start(partition, 0)
    polled = read(fetch, lambda polled: any(each.stopped for each in polled))
    (part,) = [part for each in polled for part in each.parts]
    good, fault = part.batches
    assert isinstance(good, Batch)
    assert isinstance(fault, Fault)
    assert (fault.base_offset, fault.crc_ok, part.next_offset) == (1, False, 1)
    assert b"HIT" in fault.raw
    stopped = polled[-1].stopped[partition]
    assert "offset 1 cannot be read" in stopped.reason
    assert not stopped.lost
    assert fetch.poll(10, 0.3) == Polled()
    assert fetch.start(partition, part.next_offset)
    assert [record[3] for each in batches(read_to(fetch, 3)) for record in each.records] == [b"hit", b"later"]


def test_answers_that_come_in_turns_are_one_part_a_partition(
    fetch: RawFetch, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(2)
    one, other = TopicPartition(topic, 0), TopicPartition(topic, 1)
    fetch.assign([one, other])
    assert fetch.start(one, 0)
    assert fetch.start(other, 0)
    turns = [[_chunk(one, 0)], [_chunk(other, 0)], [_chunk(one, 2)], []]
    monkeypatch.setattr(fetch, "_poll_once", lambda *_: turns.pop(0))
    parts = {part.partition: part for part in fetch.poll(100, 0).parts}
    assert [each.base_offset for each in parts[one].batches] == [0, 2]
    assert (parts[one].next_offset, parts[other].next_offset) == (4, 2)


def _chunk(partition: TopicPartition, base: int) -> Chunk:
    raw = batch(values(b"a", b"b"), base=base)
    return Chunk(partition, memoryview(raw), Decoder(()), base, base + 2)
