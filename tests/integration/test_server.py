"""The web process: several workers that count as one, JSON logs, a clear line for a taken port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reviewsvc.local.ports import is_free, is_open
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real

# The smallest application, in place of ours: what is tested is the server around it.
PROGRAM = """
import sys, types
def create_app(settings):
    from prometheus_client import Counter
    from reviewsvc import server, telemetry
    server.ARRIVAL_SECONDS = 1
    seen = Counter("seen", "Requests.")
    def application(environ, start_response):
        seen.inc()
        telemetry.logger("web").info("answered", path=environ["PATH_INFO"])
        body, media = telemetry.exposition()
        start_response("200 OK", [("Content-Type", media)])
        return [body]
    return application
sys.modules["reviewsvc.app"] = types.SimpleNamespace(create_app=create_app)
from reviewsvc import cli
cli.main(["web"])
"""


def start(port: int, folder: Path, program: str = PROGRAM, **more: str) -> subprocess.Popen[str]:
    """Start a web process with two workers, or as more settings say."""
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing",
        "REVIEWSVC_KEK_FILE": "unread",
        "REVIEWSVC_SECRET_KEY": "unread, but long enough",
        "REVIEWSVC_PORT": str(port),
        "REVIEWSVC_DATA_DIR": str(folder),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True, cwd=folder
    )


@pytest.fixture
def port() -> int:
    """Find a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        free: int = server.getsockname()[1]
        return free


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A web process that answers; it is ended after the test."""
    process = start(port, tmp_path)
    try:
        _answered(port, patience_seconds=15)
        yield process
    finally:
        process.kill()
        process.communicate()


def _answered(port: int, patience_seconds: float = 0) -> str:
    end = time.monotonic() + patience_seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/page") as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _events(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    return [json.loads(line) for line in said.splitlines()]


def test_requests_to_all_workers_are_counted_together(server: subprocess.Popen[str], port: int) -> None:
    counts = [float(_answered(port).rpartition("seen_total ")[2].split()[0]) for _ in range(20)]
    assert counts == sorted(set(counts))
    assert counts[-1] == 21
    assert server.poll() is None


def test_who_is_killed_while_the_workers_start_leaves_the_port_free(port: int, tmp_path: Path) -> None:
    slow = PROGRAM.replace("    from prometheus", "    import time; time.sleep(60)\n    from prometheus")
    process = start(port, tmp_path, program=slow)
    assert eventually(lambda: is_open(port))
    process.kill()
    process.communicate(timeout=5)
    assert eventually(lambda: is_free(port), seconds=3)


def test_every_line_of_its_log_is_an_event_and_it_ends_when_told(
    server: subprocess.Popen[str], port: int
) -> None:
    _answered(port)
    events = _events(server)
    assert server.returncode == 0
    assert {event["process"] for event in events} == {"web"}
    assert "/page" in {event.get("path") for event in events}


def test_a_taken_port_is_one_line_and_leaves_its_users_metrics_alone(
    server: subprocess.Popen[str], port: int, tmp_path: Path
) -> None:
    second = start(port, tmp_path)
    _, said = second.communicate(timeout=15)
    assert second.returncode == 1
    assert said == (
        f"Error: Cannot listen on 127.0.0.1:{port} (Address already in use); "
        "set REVIEWSVC_PORT to a free port.\n"
    )
    assert "seen_total 2.0" in _answered(port)
    assert server.poll() is None


def test_whoever_sends_half_a_request_does_not_keep_the_others_out(port: int, tmp_path: Path) -> None:
    process = start(port, tmp_path, REVIEWSVC_WEB_WORKERS="1", REVIEWSVC_WEB_THREADS="2")
    slow: list[socket.socket] = []
    try:
        _answered(port, patience_seconds=15)
        for _ in range(4):
            slow.append(socket.create_connection(("127.0.0.1", port), timeout=20))
            slow[-1].sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=20) as response:
            assert response.status == 200
        assert slow[0].recv(1) == b""
    finally:
        process.kill()
        process.communicate()
        for each in slow:
            each.close()
