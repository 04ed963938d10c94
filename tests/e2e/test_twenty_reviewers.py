"""Twenty people at one queue over HTTP, at the real server: no case in two hands, no answer lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.demo.browser import Browser, Form, Page
from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import Bank, event
from tests.fixtures.house import RunProcesses
from tests.fixtures.installed import KEK_BYTES, ORIGIN, PASSWORD

pytestmark = pytest.mark.real

PEOPLE, CASES = 20, 100
DESK = "/queues/unsure/desk"


@pytest.fixture
def address(bank: Bank, run_processes: RunProcesses, process_settings: dict[str, str], tmp_path: Path) -> str:
    bank.capture(event(f"loan-{number}") for number in range(CASES))
    for number in range(PEOPLE):
        bank.house.add_person(f"reviewer{number}", Grant("reviewer", "queue:unsure"))
    key = tmp_path / "key"
    key.write_bytes(KEK_BYTES)
    key.chmod(0o600)
    run_processes("web", REVIEWSVC_ORIGIN=ORIGIN, REVIEWSVC_KEK_FILE=str(key), REVIEWSVC_WEB_WORKERS="2")
    return process_settings["REVIEWSVC_PUBLIC_URL"]


def work(address: str, login: str) -> list[str]:
    """Answer cases until none is left, taking the second answer back once; return the tasks answered."""
    browser = Browser(address)
    page = browser.get("/login")
    browser.submit(page.form(action="/login"), {"login": login, "password": PASSWORD, "next": DESK})
    page = browser.get(DESK)
    answered: list[str] = []
    taken_back = ""
    while task := shown(page):
        page = browser.submit(page.form(id="answer"), {"value": "refuse"})
        answered.append(task)
        if len(answered) == 2 and not taken_back:
            page = browser.submit(undo(page), {})
            taken_back = answered.pop()
    return answered


def shown(page: Page) -> str:
    return next((section["data-task"] for section in page.sections if "data-task" in section), "")


def undo(page: Page) -> Form:
    return page.form(**{"data-act-form": "undo"})


def test_twenty_reviewers_share_a_queue(bank: Bank, address: str) -> None:
    with ThreadPoolExecutor(PEOPLE) as pool:
        parts = list(pool.map(lambda number: work(address, f"reviewer{number}"), range(PEOPLE)))
    answered = [task for part in parts for task in part]
    assert len(answered) == len(set(answered)) == CASES
    standing = sa.select(t.decision.c.task_id).where(t.decision.c.retracted_seq.is_(None))
    assert sorted(str(row.task_id) for row in bank.rows(standing)) == sorted(answered)
    assert len(bank.rows(sa.select(t.label_current.c.id_hash))) == CASES
    assert sum(1 for part in parts if part) > PEOPLE // 2
