import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reviewsvc.local.children import Child, Keeper, delay_seconds
from reviewsvc.local.ports import free_ports
from tests.fixtures.processes import all_gone, eventually, kill, next_line, parent

pytestmark = pytest.mark.unit

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
LEAVER = "print('up', flush=True); raise SystemExit(3)"
NOTER = """
import os, signal, sys, time
def leave(*_):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2])
    raise SystemExit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""
# Signals as a terminal sets them, whatever the tests were started from.
HOUSE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pathlib import Path
from reviewsvc.local.children import Child, Keeper, interruptible
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
with interruptible(), Keeper([child], Path(sys.argv[1])) as keeper:
    print(keeper.pids()["sleeper"])
    keeper.wait()
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _child(name: str, code: str, *arguments: str) -> Child:
    return Child(name, [sys.executable, "-c", code, *arguments])


@contextmanager
def _kept(keeper: Keeper) -> Iterator[Keeper]:
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def _ups(log: Path) -> int:
    return log.read_text().count("up")


def test_the_wait_before_a_start_doubles_up_to_half_a_minute() -> None:
    assert [delay_seconds(n) for n in (1, 2, 3, 6, 7, 8, 1000)] == [0.5, 1, 2, 16, 30, 30, 30]


def test_a_child_that_exits_is_started_again_when_its_wait_is_over(tmp_path: Path) -> None:
    clock, said = Clock(), list[str]()
    log = tmp_path / "capture.log"
    with _kept(Keeper([_child("capture", LEAVER)], tmp_path, clock=clock, say=said.append)) as keeper:
        assert eventually(lambda: not keeper.pids())
        for failures, seconds in enumerate((0.5, 1, 2), start=1):
            keeper.step()
            assert said[-1].startswith(f"capture exited with code 3; started again in {seconds:g} s")
            clock.now += seconds * 0.9
            keeper.step()
            assert _ups(log) == failures
            clock.now += seconds * 0.2
            keeper.step()
            assert eventually(lambda failures=failures: _ups(log) == failures + 1)  # type: ignore[misc] # the loop's own
            assert eventually(lambda: not keeper.pids())
        assert len(said) == 3


def test_a_child_that_ran_steadily_starts_again_with_the_shortest_wait(tmp_path: Path) -> None:
    clock, said = Clock(), list[str]()
    with _kept(Keeper([_child("web", LEAVER)], tmp_path, clock=clock, say=said.append)) as keeper:
        for ran in (1, 1, 100):
            assert eventually(lambda: not keeper.pids())
            clock.now += ran
            keeper.step()
            clock.now += 31
            keeper.step()
        assert [line.split(" in ")[1].split(" s")[0] for line in said] == ["0.5", "1", "0.5"]


def test_a_killed_child_is_told_apart(tmp_path: Path) -> None:
    said = list[str]()
    with _kept(Keeper([_child("web", SLEEPER)], tmp_path, say=said.append)) as keeper:
        os.kill(keeper.pids()["web"], signal.SIGKILL)
        assert eventually(lambda: not keeper.pids())
        keeper.step()
        assert said[0].startswith("web was killed by SIGKILL")


def test_all_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    children = [_child(name, NOTER, str(noted), name) for name in "abc"]
    with _kept(Keeper(children, tmp_path)):
        assert eventually(lambda: all(_ups(tmp_path / f"{name}.log") for name in "abc"))
    assert noted.read_text() == "cba"


def test_a_child_gets_its_health_port_and_its_own_settings(tmp_path: Path) -> None:
    code = (
        "import os; print(os.environ['REVIEWSVC_HEALTH_PORT'], os.environ['WORD'], bool(os.environ['PATH']))"
    )
    child = Child("worker", [sys.executable, "-c", code], {"WORD": "yes"}, health_port=free_ports(1)[0])
    with _kept(Keeper([child], tmp_path)) as keeper:
        assert eventually(lambda: (tmp_path / "worker.log").read_text() != "")
        assert (tmp_path / "worker.log").read_text().split() == [str(child.health_port), "yes", "True"]
        assert keeper.not_ready() == ["worker"]


def test_what_children_write_is_shown_with_their_names_when_asked(tmp_path: Path) -> None:
    said = list[str]()
    children = [_child("web", "print('one\\ntwo')"), _child("worker", "print('three')")]
    with _kept(Keeper(children, tmp_path, echo=True, say=said.append)) as keeper:
        assert eventually(lambda: not keeper.pids())
        keeper.step()
    assert {"web    | one", "web    | two", "worker | three"} <= set(said)


def test_a_killed_keeper_leaves_no_child(tmp_path: Path) -> None:
    with parent(HOUSE, tmp_path) as house:
        child = int(next_line(house))
        kill(house)
        assert all_gone([child])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_keeper_that_is_asked_to_end_stops_its_children(number: signal.Signals, tmp_path: Path) -> None:
    with parent(HOUSE, tmp_path) as house:
        child = int(next_line(house))
        house.send_signal(number)
        house.wait(30)
        assert all_gone([child])
