import signal
import sys
import threading
from pathlib import Path
from subprocess import Popen

import pytest

from reviewsvc.local import tether
from tests.fixtures.processes import all_gone, eventually, is_alive, kill, next_line, parent

pytestmark = pytest.mark.unit

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
FAMILY = """
import sys
from pathlib import Path
from reviewsvc.local import tether
code, log, way = sys.argv[1:]
child = tether.spawn([sys.executable, "-c", code], log=Path(log), by_pipe=way == "pipe")
print(child.pid)
child.wait()
"""


def _start(code: str, log: Path) -> Popen[bytes]:
    child = tether.spawn([sys.executable, "-c", code], log=log)
    assert eventually(lambda: b"up" in log.read_bytes())
    return child


@pytest.mark.parametrize("way", ["kernel", "pipe"])
def test_a_killed_parent_leaves_no_child(way: str, tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    log = tmp_path / "log"
    with parent(FAMILY, code, log, way) as family:
        started = int(next_line(family))
        assert eventually(lambda: log.read_text().strip() != "")
        pids = {started, int(log.read_text())}
        assert all(map(is_alive, pids))
        kill(family)
        assert all_gone(pids)


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    made: list[Popen[bytes]] = []
    thread = threading.Thread(target=lambda: made.append(_start(SLEEPER, tmp_path / "log")))
    thread.start()
    thread.join()
    assert made[0].poll() is None
    assert tether.stop(made[0]) == -signal.SIGTERM


def test_who_does_not_heed_the_signal_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    child = _start(STUBBORN, tmp_path / "log")
    assert tether.stop(child, grace_seconds=0.1) == -signal.SIGKILL


def test_stopping_ends_what_the_child_started_too(tmp_path: Path) -> None:
    starts = f"print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True)"
    code = f"import subprocess, sys; {starts}; {SLEEPER}"
    log = tmp_path / "log"
    child = _start(code, log)
    tether.stop(child)
    assert all_gone([int(log.read_text().split()[0])])


def test_a_command_that_does_not_exist_ends_at_once_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = tether.spawn(["/nowhere/program"], log=log)
    assert child.wait(10) != 0
    assert "/nowhere/program" in log.read_text() or "No such file" in log.read_text()
