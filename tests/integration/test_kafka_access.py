"""The rights in Kafka that the README lists are enough for each process, and no more than listed is given."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from kafka import TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern
from kafka.admin import ResourceType as Resource
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from consumers import broker
from consumers.fetch import RawFetch
from consumers.settings import KafkaSettings
from reviewsvc.config import Kafka as Topics
from reviewsvc.local.kafka import Kafka
from tests.contract.source import ROOT

pytestmark = pytest.mark.real

SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
PRINCIPALS: Final = ("reviewsvc-capture", "reviewsvc-relay", "reviewsvc-topics")
KINDS: Final = {
    "topic": Resource.TOPIC,
    "group": Resource.GROUP,
    "transactional-id": Resource.TRANSACTIONAL_ID,
}
ACT: Final = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Create": ACLOperation.CREATE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
}
PATIENCE_SECONDS: Final = 30.0
PREDICTIONS, LABELS = "reviewsvc.predictions.v1", "reviewsvc.labels.v1"
As = Callable[[str], KafkaSettings]


def listed() -> Iterator[ACL]:
    """Yield each right that the README's lines for kafka-acls.sh give."""
    lines = re.findall(r"^acl (--allow-principal .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert lines
    for line in lines:
        words = shlex.split(line)
        said = [(name.removeprefix("--"), value) for name, value in zip(words[::2], words[1::2], strict=True)]
        told = dict(said)
        prefixed = told.get("resource-pattern-type") == "prefixed"
        pattern = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
        (kind,) = KINDS.keys() & told.keys()
        place = ResourcePattern(KINDS[kind], told[kind], pattern)
        for name, value in said:
            if name == "operation":
                yield ACL(told["allow-principal"], "*", ACT[value], ACLPermissionType.ALLOW, place)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": SCRAM,
    }
    with Kafka.start(
        tmp_path_factory.mktemp("guarded"),
        listeners={"SCRAM": "SASL_PLAINTEXT"},
        properties=properties,
        scram=dict.fromkeys(PRINCIPALS, "right"),
    ) as running:
        root = broker.admin(KafkaSettings(bootstrap_servers=(running.bootstrap_servers,)), client_id="root")
        assert root.create_acls(list(listed()))["failed"] == []
        root.close()
        yield running


@pytest.fixture
def as_user(guarded: Kafka) -> As:
    def settings(name: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap_servers=(guarded.addresses["SCRAM"],),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=name,
            sasl_password="right",
        )

    return settings


@pytest.fixture
def topics(as_user: As) -> list[str]:
    """Make the service's topics as the one who may, and look at those that are captured."""
    wanted = Topics()
    names = [*wanted.prediction_topics, *wanted.outcome_topics]
    names += [wanted.labels_topic, wanted.decisions_topic, wanted.checkpoints_topic]
    admin = broker.admin(as_user("reviewsvc-topics"), client_id="topics")
    broker.create_topics(admin, dict.fromkeys(names, 1))
    broker.refuse_compacted(admin, PREDICTIONS)
    admin.close()
    return names


@pytest.mark.usefixtures("topics")
def test_capture_may_look_at_its_topics_and_read_them_in_its_group(as_user: As) -> None:
    settings = as_user("reviewsvc-capture")
    admin = broker.admin(settings, client_id="capture")
    assert broker.topic_id(admin, PREDICTIONS)
    broker.refuse_compacted(admin, PREDICTIONS)
    here = TopicPartition(PREDICTIONS, 0)
    assert broker.end_offsets(admin, [here], committed=True) == {here: 0}
    admin.close()
    fetch = RawFetch(broker.consumer(settings, client_id="capture", group_id=settings.group_id))
    fetch.subscribe([PREDICTIONS])
    gained = set()
    for _ in range(int(PATIENCE_SECONDS)):
        fetch.poll(1, 1.0)
        gained |= fetch.changes().gained
        if gained:
            break
    fetch.close()
    assert gained == {here}


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("topic", [LABELS, "reviewsvc.decisions.v1", "reviewsvc.checkpoints.v1"])
def test_the_relay_may_send_in_transactions_and_keep_its_place_there(as_user: As, topic: str) -> None:
    settings = as_user("reviewsvc-relay")
    name = f"labels/a/0-{topic}"
    group = f"reviewsvc-relay-{name}"
    here = TopicPartition(topic, 0)
    producer = broker.producer(settings, client_id="relay", transactional_id=f"reviewsvc-{name}")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, b"value").get(PATIENCE_SECONDS)
    producer.send_offsets_to_transaction({here: OffsetAndMetadata(7, "", -1)}, ConsumerGroupMetadata(group))
    producer.commit_transaction()
    producer.close(timeout=PATIENCE_SECONDS)
    place = broker.consumer(settings, client_id="relay", group_id=group)
    assert place.committed(here, timeout_ms=int(PATIENCE_SECONDS * 1000)) == 7
    place.close()
    fetch = RawFetch(broker.consumer(settings, client_id="relay-tail"))
    fetch.assign([here])
    fetch.start(here, 0)
    assert any(part.batches for part in fetch.poll(10, PATIENCE_SECONDS).parts)
    fetch.close()


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize(("name", "topic"), [("relay", PREDICTIONS), ("capture", LABELS)])
def test_neither_sees_the_topics_of_the_other(as_user: As, name: str, topic: str) -> None:
    admin = broker.admin(as_user(f"reviewsvc-{name}"), client_id=name)
    with pytest.raises(broker.TopicError, match="TopicAuthorizationFailedError"):
        broker.topic_id(admin, topic)
    admin.close()
