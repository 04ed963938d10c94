import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from consumers.security import TokenError, Tokens, options
from consumers.settings import KafkaSettings, from_settings
from reviewsvc.config import Kafka

pytestmark = pytest.mark.unit

AT_HOME = ("127.0.0.1:9092",)


@contextmanager
def endpoint(status: int, answer: bytes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An OAuth token endpoint that gives one answer and remembers what it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["Authorization"], body.decode()))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_tokens(address: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=AT_HOME,
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_token_endpoint=address,
        sasl_client_id="capture",
        sasl_client_secret="s/cret",
        sasl_scope="kafka",
    )


def test_a_token_is_fetched_by_client_credentials_and_kept_for_four_fifths_of_its_life() -> None:
    now = [1000.0]
    with endpoint(200, json.dumps({"access_token": "abc", "expires_in": 100}).encode()) as (address, asked):
        tokens = Tokens(with_tokens(address), clock=lambda: now[0])
        assert tokens.token() == "abc"
        now[0] = 1079.0
        assert tokens.token() == "abc"
        assert len(asked) == 1
        now[0] = 1081.0
        tokens.token()
        assert len(asked) == 2
    assert asked[0] == (
        "Basic " + b64encode(b"capture:s%2Fcret").decode(),
        "grant_type=client_credentials&scope=kafka",
    )


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (401, b"{}"),
        (200, b"{}"),
        (200, b"not json"),
        (200, b"[]"),
        (200, b'{"access_token":"a","expires_in":[1]}'),
    ],
)
def test_an_answer_without_a_token_says_which_settings_to_check(status: int, answer: bytes) -> None:
    with endpoint(status, answer) as (address, _), pytest.raises(TokenError, match="KAFKA_SASL_CLIENT_ID"):
        Tokens(with_tokens(address)).token()


@pytest.mark.parametrize("address", ["http://idp.example/token", "", "file:///etc/passwd"])
def test_a_token_endpoint_without_encryption_is_refused(address: str) -> None:
    with pytest.raises(TokenError, match="must be an https address"):
        Tokens(with_tokens(address))


def test_scram_and_mutual_tls_become_the_clients_options() -> None:
    settings = KafkaSettings(
        bootstrap_servers=AT_HOME,
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="capture",
        sasl_password="secret",
        ssl_cafile="ca.pem",
        ssl_certfile="cert.pem",
        ssl_keyfile="key.pem",
    )
    assert options(settings) == {
        "security_protocol": "SASL_SSL",
        "ssl_check_hostname": True,
        "ssl_cafile": "ca.pem",
        "ssl_certfile": "cert.pem",
        "ssl_keyfile": "key.pem",
        "ssl_password": None,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "capture",
        "sasl_plain_password": "secret",
    }
    assert options(KafkaSettings(bootstrap_servers=AT_HOME)) == {"security_protocol": "PLAINTEXT"}


def test_the_services_settings_are_taken_over_by_name() -> None:
    kafka = Kafka(bootstrap_servers=AT_HOME, sasl_username="u", ssl_check_hostname=False, group_id="g")
    taken = from_settings(kafka)
    assert (taken.bootstrap_servers, taken.sasl_username, taken.group_id) == (AT_HOME, "u", "g")
    assert not taken.ssl_check_hostname
    assert "secret" not in repr(KafkaSettings(bootstrap_servers=AT_HOME, sasl_password="secret"))
