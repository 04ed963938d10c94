"""What a broker says before it ends the connection is heard, also when both come at once."""

import socket
from types import SimpleNamespace

import pytest
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from consumers import sockets

pytestmark = pytest.mark.unit


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("kind", [KafkaTCPTransport, KafkaSSLTransport])
def test_an_answer_that_comes_with_the_end_is_given_before_it(kind: type[KafkaTCPTransport]) -> None:
    sockets.widen()
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0)
        transport = SimpleNamespace(_sock=ours)
        assert kind._sock_recv(transport) == (b"", None)
        with theirs:
            theirs.sendall(b"invalid credentials")
        assert kind._sock_recv(transport) == (b"invalid credentials", None)
        rest, error = kind._sock_recv(transport)
    assert (rest, str(error)) == (b"", "KafkaConnectionError: socket disconnected")
