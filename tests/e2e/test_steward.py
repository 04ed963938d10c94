"""The steward's pages by keyboard alone: asking, agreeing, telling receivers; accessible in every state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.permissions import Grant
from reviewsvc.outside.erasure_journal import ErasureJournal
from reviewsvc.usecases import erasure, labels
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.holds import HoldOn, ask
from tests.e2e.conftest import Place
from tests.e2e.test_looks import WIDTHS, faults
from tests.fixtures.cases import Bank, event
from tests.fixtures.installed import AT
from tests.fixtures.service import RunningClock, Site

pytestmark = pytest.mark.browser


@pytest.fixture
def place(bank: Bank, make_site: Callable[..., Site], serve: Callable[[Site], str]) -> Place:
    """Where everything takes two people."""
    bank.capture([event(f"p-{number}") for number in range(3)] + [b"{no json"])
    site = make_site(RunningClock(AT), second_person=("erase", "export", "hold", "release"))
    return Place(serve(site), site, bank)


def check(page: Page) -> None:
    """The page as it is now, at both widths and in both themes."""
    found = {}
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            found[f"{page.url} {theme} {width}"] = faults(page)
    assert {path: said for path, said in found.items() if said} == {}
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_steward_needs_no_mouse(
    place: Place, page: Page, worker_sessions: Sessions, tmp_path: Path
) -> None:
    bank, house = place.bank, place.bank.house
    anna = bank.person("anna")
    bank.decide(anna, bank.claim(anna)[0])
    list(labels.stream(bank.desk, "loans", None, actor=Actor("cli", "trainer"), at=AT))
    for on in (HoldOn("subject of p-1"), HoldOn(model="loans", prediction_id="p-2")):
        ask(house.sessions, house.keyring, on, "court file 12/26", actor=Actor("cli", "otto"), at=AT)
    place.enter(page, "stella", Grant("steward"))
    page.goto(f"{place.url}/subjects")
    page.locator("#in-subject").focus()
    _type(page, "subject of p-0", "letter of 3 May")
    page.wait_for_url("**/erasures/*")
    erasing = page.url
    assert page.get_by_role("button", name="Agree").count() == 0
    check(page)
    page.goto(f"{place.url}/subjects")
    check(page)
    _press(page, "Agree")
    assert "Held: nothing of it is erased or dropped" in page.inner_text("body")
    _press(page, "Refuse")
    check(page)
    page.context.clear_cookies()
    place.enter(page, "otto", Grant("steward"))
    page.goto(erasing)
    _press(page, "Agree")
    assert erasure.step(Desk(worker_sessions, house.keyring), ErasureJournal(tmp_path / "j"), at=AT) == 1
    page.goto(erasing)
    check(page)
    _press(page, "Told them")
    assert "otto" in page.inner_text("table").lower()
    page.goto(f"{place.url}/quarantine")
    page.goto(place.url + str(page.locator("tbody a").first.get_attribute("href")))
    check(page)


def _type(page: Page, *texts: str) -> None:
    """Fill one field after the other, and send the form with Enter."""
    for number, text in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")


def _press(page: Page, name: str) -> None:
    """Walk to a button with Tab, and press it."""
    page.evaluate("document.activeElement?.blur?.()")
    for _ in range(60):
        page.keyboard.press("Tab")
        here: Any = page.evaluate("document.activeElement?.innerText?.trim() || ''")
        if here == name:
            with page.expect_navigation():
                page.keyboard.press("Enter")
            return
    raise AssertionError(name)
