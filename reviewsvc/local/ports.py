"""Free ports on the loopback address."""

import socket
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

HOST = "127.0.0.1"
TRIES = 100


class NoPortError(Exception):
    """No port can be had."""


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listened on a moment ago."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def is_open(port: int) -> bool:
    """Say whether something accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def is_ready(port: int) -> bool:
    """Say whether `/readyz` on this port answers 200."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now."""
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False


def next_free(port: int) -> int:
    """Return the first port from this one on that is free. Raises NoPortError after a hundred."""
    for each in range(port, port + TRIES):
        if is_free(each):
            return each
    raise NoPortError(f"ports {port} to {port + TRIES - 1} are all taken: name a free one with --port")


def await_free(port: int, seconds: float = 3) -> bool:
    """Say whether this port is free, or becomes so soon: who was killed lets go of it a moment later."""
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
