"""`reviewsvc up`: it starts, starts again on its data, looks after its children and leaves none behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from reviewsvc.local.ports import free_ports, is_ready
from tests.fixtures.processes import all_gone, eventually, is_alive

pytestmark = pytest.mark.real

START_SECONDS = 120
SERVICE = ("web", "worker", "capture", "relay")
GREETING = "Ctrl-C stops everything"
PASSWORD = re.compile(r"First log-in \(shown once\):  admin  \S{20,}")


def _environment(**more: str) -> dict[str, str]:
    given = {
        name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "KAFKA_"))
    }
    return {**given, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def up(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run `up` on a folder until the block ends; what it says is in `folder`.said."""
    command = [sys.executable, "-m", "reviewsvc.cli", "up", "--data", str(folder), "--port", str(port)]
    with (
        Path(f"{folder}.said").open("w") as said,
        subprocess.Popen(command, env=_environment(), stdout=said, stderr=said, text=True) as process,
    ):
        try:
            assert eventually(partial(_has_begun, process, folder), seconds=START_SECONDS)
            assert process.poll() is None, _said(folder)
            yield process
        finally:
            process.kill()


def _has_begun(process: subprocess.Popen[str], folder: Path) -> bool:
    return GREETING in _said(folder) or process.poll() is not None


def _said(folder: Path) -> str:
    return Path(f"{folder}.said").read_text()


def _end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(60)


def _children(process: subprocess.Popen[str]) -> dict[int, list[str]]:
    """Return the words of the commands of all that a process has started, and those have, by process id."""
    parents, words = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                words[int(folder.name)] = (folder / "cmdline").read_text().split("\0")
                parents[int(folder.name)] = int(stat[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {process.pid}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return {pid: words[pid] for pid in found - {process.pid}}


def _service(process: subprocess.Popen[str]) -> dict[str, int]:
    """Return the process id of each process of the service, by its name."""
    return {
        words[-2]: pid
        for pid, words in _children(process).items()
        if words[-2:-1] and words[-2] in SERVICE and _parent(pid) == process.pid
    }


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _is_up_again(process: subprocess.Popen[str], name: str, former: int) -> bool:
    pid = _service(process).get(name, former)
    if pid == former:
        return False
    told = dict(each.partition("=")[::2] for each in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return is_ready(int(told["REVIEWSVC_HEALTH_PORT"]))


def test_it_starts_again_on_its_folder_as_the_same_installation(reachable_folder: Path) -> None:
    folder, port = reachable_folder / "data", free_ports(1)[0]
    with up(folder, port) as process:
        assert PASSWORD.search(_said(folder))
        assert is_ready(port)
        children = _children(process)
        origin = (folder / "origin").read_text()
        assert _end(process) == 0
        assert all_gone(children)
    with up(folder, port) as process:
        assert "First log-in" not in _said(folder)
        assert (folder / "origin").read_text() == origin
        assert _end(process) == 0


def test_a_killed_child_is_started_again_and_a_killed_up_leaves_none(reachable_folder: Path) -> None:
    folder = reachable_folder / "data"
    with up(folder, free_ports(1)[0]) as process:
        for name, pid in _service(process).items():
            os.kill(pid, signal.SIGKILL)
            assert eventually(partial(_is_up_again, process, name, pid), seconds=START_SECONDS)
            assert f"{name} was killed by SIGKILL; started again" in _said(folder)
        children = _children(process)
        assert len(children) >= len(SERVICE) + 2
        process.kill()
        assert all_gone(children), [pid for pid in children if is_alive(pid)]


def test_another_up_on_the_same_folder_is_one_clear_line(tmp_path: Path) -> None:
    from reviewsvc.local.folders import locked  # noqa: PLC0415 - only this test plays another `up`

    with locked(tmp_path):
        done = _fails("--data", str(tmp_path), "--port", str(free_ports(1)[0]))
    assert done == [f"Error: another reviewsvc runs on {tmp_path}: stop it, or choose another folder"]


def test_a_taken_port_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = _fails("--data", str(tmp_path), "--port", str(port))
    assert done == [f"Error: Port {port} is taken: stop what listens there, or choose another with --port."]


def test_a_database_without_its_owner_is_one_clear_line(tmp_path: Path) -> None:
    options = ("--data", str(tmp_path), "--port", str(free_ports(1)[0]))
    (line,) = _fails(*options, DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    assert line.startswith("Error: DATABASE_URL is set and DATABASE_OWNER_URL is not: set it too")


def _fails(*options: str, **settings: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", "up", *options],
        env=_environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()
