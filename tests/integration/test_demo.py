"""`reviewsvc demo` for a person: who may log in, a first case, an end that is said, and nothing left over."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reviewsvc.demo.browser import Browser, desks
from reviewsvc.local.ports import free_ports
from tests.fixtures.long_commands import START_SECONDS, Running, offspring, running
from tests.fixtures.processes import all_gone, eventually

pytestmark = pytest.mark.real

EVENTS = 40
ENDED = f"All {EVENTS} answers were sent. The desk stays up"
ROLES = ("reviewer", "lead", "auditor", "data", "owner", "operator", "admin", "steward")
VERIFY = re.compile(
    r"^Verify it, offline:  (python3 -I \S+/verify\.py --keys \S+ \S+/bundle\.zip)$", re.MULTILINE
)
LOG_IN = re.compile(r"^(\w+) +((?:\w{5}-){4}\w{5}) +(\w+)", re.MULTILINE)


def verified(said: str) -> str:
    """Type the command that was printed, and return what it says."""
    found = VERIFY.search(said)
    assert found
    done = subprocess.run(shlex.split(found[1]), cwd="/", capture_output=True, text=True, check=True)
    return done.stdout


@contextmanager
def demo(place: Path, port: int) -> Iterator[Running]:
    """Run the demo quickly on a few events, its temporary folders in `place`."""
    words = ("demo", "--rate", "100", "--events", str(EVENTS), "--port", str(port))
    with running(*words, said_in=place / "said", until=ENDED, TMPDIR=str(place), COLUMNS="100") as command:
        yield command


def log_in(address: str, login: str, password: str) -> Browser:
    """Log in by the form; fails if the service does not let them in."""
    browser = Browser(address)
    entrance = browser.get("/login").form(action="/login")
    browser.submit(entrance, {"login": login, "password": password})
    assert login in browser.get("/account").text
    return browser


def has_case(browser: Browser) -> bool:
    """Say whether a desk of this person shows a case to be answered."""
    forms = [form for path in desks(browser.get("/queues")) for form in browser.get(path).forms]
    return any(form.attributes.get("id") == "answer" for form in forms)


def test_each_kind_of_person_may_log_in_and_a_reviewer_gets_a_case(reachable_folder: Path) -> None:
    port = free_ports(1)[0]
    with demo(reachable_folder, port) as command:
        people = LOG_IN.findall(command.said)
        assert {role for _, _, role in people} == set(ROLES)
        for login, password, role in people:
            browser = log_in(f"http://127.0.0.1:{port}", login, password)
            assert role != "reviewer" or has_case(browser)
        assert eventually(lambda: f"captured {EVENTS}" in command.said, seconds=START_SECONDS)
        assert eventually(lambda: bool(VERIFY.search(command.said)), seconds=START_SECONDS)
        assert verified(command.said).startswith("VERIFIED\n")
        assert command.end() == 0
    assert not list(reachable_folder.glob("reviewsvc-demo-*"))


def test_a_killed_demo_leaves_no_process(reachable_folder: Path) -> None:
    with demo(reachable_folder, free_ports(1)[0]) as command:
        children = offspring(command.process)
        assert len(children) > len(("PostgreSQL", "Kafka", "web", "worker", "capture", "relay"))
        command.process.send_signal(signal.SIGKILL)
        assert all_gone(children)
