"""Processes of the service that a test kills, freezes and cuts off, and what they say of themselves."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from reviewsvc.local import tether
from reviewsvc.local.ports import free_ports
from tests.fixtures.processes import eventually

if TYPE_CHECKING:
    from subprocess import Popen

# The same main as the command's, with less patience than the hours of a service allow.
CAPTURE = """
import json, sys
from consumers.__main__ import NEEDED
from consumers.capture import Patience, main
from reviewsvc import config, telemetry
telemetry.configure(process="capture")
main(config.load(*NEEDED), Patience(**json.loads(sys.argv[1])))
"""
SETTLED_SECONDS = 0.02
_OPEN = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND backend_xid IS NOT NULL "
    "AND state IN ('active', 'idle in transaction')"
)


class Victim:
    """One process, started as often as the test likes; its log lines are kept over all its lives."""

    def __init__(self, settings: Mapping[str, str], log: Path, command: list[str]) -> None:
        self.name = log.stem
        self._settings, self._log, self._command = settings, log, command
        self._process: Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.port = free_ports(1)[0]
        env = {**os.environ, **self._settings, "REVIEWSVC_HEALTH_PORT": str(self.port)}
        self._process = tether.spawn([sys.executable, *self._command], log=self._log, env=env)

    def stop(self) -> int:
        """Ask it to end, as an operator does; gives its exit code."""
        assert self._process is not None
        return tether.stop(self._process, grace_seconds=20)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it has logged, or only the lines of one event."""
        return [line for line in self._lines() if event in {None, line["event"]}]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_text().splitlines() if self._log.exists() else []:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                yield {"event": "not json", "line": line}

    def reasons(self) -> list[str]:
        """Why it is not ready; empty if it is."""
        try:
            status, body = self._get("/readyz")
        except OSError as fault:
            return [f"no answer: {fault}"]
        reasons: list[str] = json.loads(body)["reasons"]
        assert (status == 200) == (not reasons)
        return reasons

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a metric; None if it is not shown, or nobody answers."""
        shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        start = f"{name}{{{shown}}} " if labels else f"{name} "
        try:
            shown_now = self._get("/metrics")[1].splitlines()
        except OSError:
            return None
        found = [line for line in shown_now if line.startswith(start)]
        return float(found[0].rsplit(" ", 1)[1]) if found else None

    def _get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def capture_command(**patience: float) -> list[str]:
    """Capture as a process, with so much patience, in seconds."""
    return ["-c", CAPTURE, json.dumps({"member": 6.0, **patience})]


def freeze_in_transaction(victim: Victim, conn: psycopg.Connection[Any], seconds: float) -> bool:
    """Freeze it with a transaction open that has written; False, and not frozen, if none was met in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        victim.freeze()
        # What the server was sent before is done after a moment; a commit is then over.
        time.sleep(SETTLED_SECONDS)
        if _has_open(victim, conn):
            return True
        victim.thaw()
        time.sleep(0.003)
    return False


def _has_open(victim: Victim, conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(_OPEN, (f"reviewsvc-writer-{victim.pid}",)).fetchone()
    return row is not None and row[0] > 0


def is_ready(victim: Victim, seconds: float = 30) -> bool:
    """Say whether it is ready soon."""
    return eventually(lambda: not victim.reasons(), seconds=seconds)
