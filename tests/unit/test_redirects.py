"""What a client was given for one server never goes to another that the first one names."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from consumers.security import TokenError, Tokens
from consumers.settings import KafkaSettings
from reviewsvc.client import Client, ClientError

pytestmark = pytest.mark.unit


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str | None]]]:
    """A server that sends everybody on to /elsewhere, and what credentials arrived there."""
    arrived: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.path == "/elsewhere":
                arrived.append(self.headers["Authorization"])
            self.send_response(200 if self.path == "/elsewhere" else 302)
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.end_headers()
            self.wfile.write(b'{"items": [], "access_token": "theirs"}')

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", arrived
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_stays_with_the_service_that_it_is_for(elsewhere: tuple[str, list[str | None]]) -> None:
    address, arrived = elsewhere
    client = Client(address, "rsv_secret")
    for ask in (client.queues, lambda: list(client.labels("loans"))):
        with pytest.raises(ClientError, match="302") as error:
            ask()
        assert error.value.status == 302
    assert arrived == []


def test_a_client_secret_stays_with_the_endpoint_that_it_is_for(
    elsewhere: tuple[str, list[str | None]],
) -> None:
    address, arrived = elsewhere
    settings = KafkaSettings(
        bootstrap_servers=("127.0.0.1:9092",),
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_token_endpoint=f"{address}/token",
        sasl_client_id="capture",
        sasl_client_secret="secret",
    )
    with pytest.raises(TokenError, match="302"):
        Tokens(settings).token()
    assert arrived == []
