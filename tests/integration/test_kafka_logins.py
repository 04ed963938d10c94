"""TLS and SASL on a real broker of its own: what the settings promise for production."""

import gc
import json
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread, active_count

import pytest
from kafka import TopicPartition

from consumers import broker, connection
from consumers.connection import UnreachableError
from consumers.fetch import RawFetch
from consumers.settings import KafkaSettings
from reviewsvc.local.kafka import Kafka
from tests.fixtures.certificates import Authority

pytestmark = pytest.mark.real

PACKAGE = "org.apache.kafka.common.security"
SCRAM = f"{PACKAGE}.scram.ScramLoginModule required;"
TOKENS = f'{PACKAGE}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    certificate, key = authority.issue("broker")
    store = certificate.with_name("store.pem")
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": SCRAM,
        "listener.name.tokens.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.tokens.oauthbearer.sasl.jaas.config": TOKENS,
        "listener.name.mutual.ssl.client.auth": "required",
    }
    listeners = {"SCRAM": "SASL_SSL", "TOKENS": "SASL_SSL", "MUTUAL": "SSL"}
    folder = tmp_path_factory.mktemp("kafka")
    with Kafka.start(
        folder, listeners=listeners, properties=properties, scram={"capture": "right"}
    ) as running:
        yield running


@pytest.fixture
def token_endpoint() -> Iterator[str]:
    """Gives tokens without a signature, as the broker's validator for development takes them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": unsigned_token(), "expires_in": 300}).encode())

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


def unsigned_token() -> str:
    now = int(time.time())
    claims = {"sub": "capture", "iat": now, "exp": now + 300}
    parts = [
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none"}, claims)
    ]
    return ".".join([*parts, ""])


def passes_a_record(settings: KafkaSettings, topic: str) -> bool:
    """Whether a record goes in by a transaction and comes out again under these settings."""
    admin = broker.admin(settings, client_id="test")
    broker.create_topics(admin, {topic: 1})
    admin.close()
    producer = broker.producer(settings, client_id="test", transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, b"value")
    producer.commit_transaction()
    producer.close(timeout=PATIENCE_SECONDS)
    fetch = RawFetch(broker.consumer(settings, client_id="test"))
    fetch.assign([TopicPartition(topic, 0)])
    fetch.start(TopicPartition(topic, 0), 0)
    polled = fetch.poll(10, PATIENCE_SECONDS)
    fetch.close()
    return any(batch.last_offset == 0 for part in polled.parts for batch in part.batches)


def scram(secured: Kafka, authority: Authority) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=(secured.addresses["SCRAM"],),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="capture",
        sasl_password="right",
        ssl_cafile=str(authority.file),
    )


def test_a_password_by_scram_over_tls(secured: Kafka, authority: Authority) -> None:
    assert passes_a_record(scram(secured, authority), "scram")


def open_sockets() -> list[ssl.SSLSocket]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, ssl.SSLSocket) and each.fileno() >= 0]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # kafka-python drops refused sockets open
def test_a_wrong_password_and_an_unknown_authority_are_refused(
    secured: Kafka, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BOOTSTRAP_MS", 8000)
    right, before = scram(secured, authority), open_sockets()
    with pytest.raises(UnreachableError, match=r"^No Kafka broker.*invalid credentials.*KAFKA_SASL_"):
        broker.admin(replace(right, sasl_password="wrong"), client_id="test")
    threads = active_count()
    monkeypatch.setattr(connection, "BOOTSTRAP_MS", 2000)
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        broker.admin(replace(right, ssl_cafile=""), client_id="test")
    assert active_count() == threads
    assert open_sockets() == before


def test_a_token_by_oauthbearer_over_tls(secured: Kafka, authority: Authority, token_endpoint: str) -> None:
    settings = KafkaSettings(
        bootstrap_servers=(secured.addresses["TOKENS"],),
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_token_endpoint=token_endpoint,
        sasl_client_id="capture",
        sasl_client_secret="secret",
        ssl_cafile=str(authority.file),
    )
    assert passes_a_record(settings, "tokens")


def mutual(secured: Kafka, authority: Authority) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=(secured.addresses["MUTUAL"],),
        security_protocol="SSL",
        ssl_cafile=str(authority.file),
    )


def test_a_client_certificate(secured: Kafka, authority: Authority) -> None:
    certificate, key = authority.issue("capture")
    settings = mutual(secured, authority)
    assert passes_a_record(replace(settings, ssl_certfile=str(certificate), ssl_keyfile=str(key)), "mutual")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # kafka-python drops refused sockets open
def test_no_client_certificate_is_refused(
    secured: Kafka, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BOOTSTRAP_MS", 3000)
    before = open_sockets()
    with pytest.raises(UnreachableError):
        broker.admin(mutual(secured, authority), client_id="test")
    assert open_sockets() == before
