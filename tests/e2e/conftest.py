"""A browser at a service with cases in it; whatever the browser complains of fails the test."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import LEADS, QUEUE, Bank, event
from tests.fixtures.installed import AT, PASSWORD
from tests.fixtures.service import RunningClock, Site

EVERYTHING = ("reviewer", "lead", "auditor", "data", "owner", "operator", "admin", "steward")


class Place(NamedTuple):
    """A service that a browser reaches, and what stands behind it."""

    url: str
    site: Site
    bank: Bank

    def enter(self, page: Page, login: str, *grants: Grant) -> Page:
        """Sign a new person in."""
        self.site.house.add_person(login, *grants)
        page.goto(f"{self.url}/login")
        page.get_by_label("Login name").fill(login)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        return page


@pytest.fixture
def place(bank: Bank, make_site: Callable[..., Site], serve: Callable[[Site], str]) -> Place:
    bank.apply({**QUEUE, "when_due": {"escalate": "leads"}, "due_in_minutes": 120}, LEADS)
    events = [event(f"loan-{number}") for number in range(14)]
    bank.capture([*events, b'{"prediction_id": NaN', b"\xff not text"])
    site = make_site(RunningClock(AT))
    return Place(serve(site), site, bank)


@pytest.fixture(autouse=True)
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What the browser complains of: errors in the console, scripts that fail, refusals of the policy."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(f"{message.type}: {message.text}")

    context.on("console", hear)
    context.on("weberror", lambda error: found.append(f"script: {error.error}"))
    yield found
    assert found == []
