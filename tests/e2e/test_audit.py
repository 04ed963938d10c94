"""An auditor's way through the pages, by keyboard alone; each page accessible and whole in both themes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases.export_making import Exporter
from tests.e2e.conftest import Place
from tests.e2e.test_looks import faults
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.browser

LOOKS = (("light", 1440, 900), ("dark", 400, 800))
MOST_TABS = 90
FOCUSED = """(() => {
  const one = document.activeElement;
  if (!one.matches("a, button, input, select, textarea, summary")) return "";
  return [...(one.labels || []), one].map((each) => each.textContent).join(" ");
})()"""


def reach(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if name in page.evaluate(FOCUSED):
            return
    raise AssertionError(f"{name} was not reached on {page.url}")


def press(page: Page, name: str) -> None:
    """Go on by a link or button."""
    reach(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def type_into(page: Page, name: str, text: str) -> None:
    reach(page, name)
    page.keyboard.type(text)


@pytest.fixture
def found() -> Iterator[dict[str, list[str]]]:
    """What is wrong with the pages that were looked at."""
    said: dict[str, list[str]] = {}
    yield said
    assert {name: faults for name, faults in said.items() if faults} == {}


def look(page: Page, found: dict[str, list[str]], name: str) -> None:
    """Look at a page in both themes, each at another width."""
    for theme, width, height in LOOKS:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type] # one of the two words
        page.set_viewport_size({"width": width, "height": height})
        found[f"{name} {theme} {width}"] = faults(page)
        if folder := os.environ.get("PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}-{theme}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})


def check_print(page: Page) -> None:
    """On paper there are no controls; the policy's text stands open, and who printed it."""
    printed = (page.locator(".site"), page.locator(".printed"), page.locator(".steps .source"))
    assert [each.is_visible() for each in printed] == [True, False, False]
    page.emulate_media(media="print")
    assert [each.is_visible() for each in printed] == [False, True, True]
    page.emulate_media(media="screen")


def check_fields(page: Page) -> None:
    """A question shows the fields that it needs, by keyboard too."""
    reach(page, "About")
    for key, is_case in (("End", True), ("Home", False)):
        page.keyboard.press(key)
        shown = [page.get_by_label(each).is_visible() for each in ("Prediction id", "Subject, exactly")]
        assert shown == [is_case, False]


def check_download(page: Page) -> None:
    """A bundle that is made is taken by keyboard."""
    reach(page, "Take it")
    with page.expect_download() as taken:
        page.keyboard.press("Enter")
    assert taken.value.suggested_filename.startswith("bundle-")


def test_an_auditor_finds_proves_and_takes_by_keyboard_alone(
    place: Place, signed: SealedBank, page: Page, found: dict[str, list[str]]
) -> None:
    bank = place.bank
    rosa = bank.person("rosa")
    for held in bank.claim(rosa, 2):
        bank.decide(rosa, held, "refuse")
    signed.seal()
    exporter = Exporter(signed.sessions, bank.house.keyring, place.site.held.exports)
    place.enter(page, "ada", Grant("auditor"))
    press(page, "Audit")
    look(page, found, "search")
    type_into(page, "Prediction id, exactly", "loan-0")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    press(page, "Prediction, story of its case")
    look(page, found, "case")
    check_print(page)
    press(page, "Open the payloads")
    assert "subject of loan-0" in page.locator("main").inner_text()
    look(page, found, "opened")
    press(page, "Receipt of: Captured")
    look(page, found, "receipt")
    receipt = page.request.get(f"{page.url}/receipt").text()
    press(page, "Audit")
    press(page, "Verify a receipt")
    reach(page, "Receipt")
    page.keyboard.insert_text(receipt)
    press(page, "Verify")
    assert (
        "VERIFIED"
        in page.get_by_role("status", name="VERIFIED").or_(page.locator(".verdict")).first.inner_text()
    )
    look(page, found, "verdict")
    press(page, "Logs")
    look(page, found, "logs")
    press(page, "Exports")
    check_fields(page)
    type_into(page, "What it is for", "the yearly audit")
    press(page, "Ask for it")
    for _ in range(3):
        exporter.step(AT)
        signed.seal()
    page.reload()
    look(page, found, "exports")
    check_download(page)
    press(page, "Opened payloads")
    assert "an audit" in page.locator("main").inner_text()
    look(page, found, "access")


def test_an_outsider_is_told_what_is_wrong_with_a_receipt(
    place: Place, signed: SealedBank, page: Page, found: dict[str, list[str]], complaints: list[str]
) -> None:
    signed.seal()
    page.goto(f"{place.url}/verify")
    look(page, found, "verify")
    type_into(page, "Receipt", "hello")
    press(page, "Verify")
    assert "This is no receipt" in page.get_by_role("alert").inner_text()
    look(page, found, "garbage")
    # The answer is an error on purpose.
    complaints[:] = [each for each in complaints if "422" not in each]
