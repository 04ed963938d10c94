"""`reviewsvc up`: it starts, starts again on its data, looks after its children and leaves none behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from reviewsvc.local.folders import locked
from reviewsvc.local.ports import free_ports, is_ready
from tests.fixtures.long_commands import (
    START_SECONDS,
    Running,
    free_environment,
    offspring,
    parent_of,
    running,
)
from tests.fixtures.processes import all_gone, eventually, is_alive
from tests.fixtures.somebody import come_and_go, left_of_them

pytestmark = pytest.mark.real

SERVICE = ("web", "worker", "capture", "relay")
GREETING = "Ctrl-C stops everything"
PASSWORD = re.compile(r"First log-in \(shown once\):  admin  \S{20,}")


def up(folder: Path, port: int) -> AbstractContextManager[Running]:
    """Run `up` on a folder until the block ends."""
    words = ("up", "--data", str(folder), "--port", str(port))
    return running(*words, said_in=Path(f"{folder}.said"), until=GREETING)


def _service(process: subprocess.Popen[str]) -> dict[str, int]:
    """Return the process id of each process of the service, by its name."""
    return {
        words[-1]: pid
        for pid, words in offspring(process).items()
        if words and words[-1] in SERVICE and parent_of(pid) == process.pid
    }


def _environment(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return what the service's processes were told, as a command on this machine would be."""
    told = [Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in _service(process).values()]
    return {name: value for each in told for name, _, value in (one.partition("=") for one in each) if name}


def _is_up_again(process: subprocess.Popen[str], name: str, former: int) -> bool:
    pid = _service(process).get(name, former)
    if pid == former:
        return False
    told = dict(each.partition("=")[::2] for each in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return is_ready(int(told["REVIEWSVC_HEALTH_PORT"]))


def _checkpoint(port: int) -> str:
    """What anybody reads of the root log; nothing while it is not sealed."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/logs/root/0/checkpoint") as answer:
            return str(answer.read().decode())
    except HTTPError:
        return ""


def _size(note: str) -> int:
    return int(note.split("\n")[1])


def test_it_starts_again_on_its_folder_as_the_same_installation(reachable_folder: Path) -> None:
    folder, port = reachable_folder / "data", free_ports(1)[0]
    with up(folder, port) as command:
        assert PASSWORD.search(command.said)
        assert is_ready(port)
        children = offspring(command.process)
        origin, key = (folder / "origin").read_text(), (folder / "signing.key").read_bytes()
        assert eventually(lambda: bool(_checkpoint(port)), seconds=START_SECONDS)
        note = _checkpoint(port)
        assert note.startswith(f"{origin.strip()}/root/0\n")
        come_and_go(_environment(command.process), reachable_folder)
        assert command.end() == 0
        assert all_gone(children)
    # The topics are not the service's: everything else is, what all processes have said too.
    assert left_of_them(reachable_folder, besides=("kafka",)) == []
    with up(folder, port) as command:
        assert "First log-in" not in command.said
        assert (folder / "origin").read_text() == origin
        assert (folder / "signing.key").read_bytes() == key
        assert _size(_checkpoint(port)) >= _size(note)
        assert command.end() == 0


def test_a_killed_child_is_started_again_and_a_killed_up_leaves_none(reachable_folder: Path) -> None:
    with up(reachable_folder / "data", free_ports(1)[0]) as command:
        for name, pid in _service(command.process).items():
            os.kill(pid, signal.SIGKILL)
            assert eventually(partial(_is_up_again, command.process, name, pid), seconds=START_SECONDS)
            assert f"{name} was killed by SIGKILL; started again" in command.said
        children = offspring(command.process)
        assert len(children) >= len(SERVICE) + 2
        command.process.kill()
        assert all_gone(children), [pid for pid in children if is_alive(pid)]


def test_another_up_on_the_same_folder_is_one_clear_line(tmp_path: Path) -> None:
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
        env=free_environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()
