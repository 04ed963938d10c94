"""Every page in both themes and at both widths: accessible, whole, and without complaint."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from reviewsvc.domain.permissions import Grant
from tests.e2e.conftest import EVERYTHING, Place

pytestmark = pytest.mark.browser

WIDTHS = ((1440, 900), (400, 800))
GRAVE = {"serious", "critical"}


def paths(place: Place, page: Page) -> list[str]:
    """Every kind of page, with something in it."""
    rosa = place.bank.person("rosa")
    for held in place.bank.claim(rosa, 2):
        place.bank.decide(rosa, held, "refuse")
    page.goto(f"{place.url}/tasks")
    task = str(page.locator("tbody a").first.get_attribute("href"))
    page.goto(f"{place.url}/quarantine")
    event = str(page.locator("tbody a").first.get_attribute("href"))
    page.goto(f"{place.url}/people")
    person = str(page.locator("tbody a").first.get_attribute("href"))
    fixed = "/queues /queues/unsure/desk /tasks /labels /quarantine /activity /documents /people /subjects"
    more = "/documents/policy/loans /documents/new?kind=policy&name=loans /help/keys /api/docs /account"
    odd = "/no-such-page /tasks?q=nothing /queues/leads/desk"
    return [*fixed.split(), *more.split(), *odd.split(), task, event, person]


# Two frames, and then until nothing moves. A transition that is cut off may never say that it has finished.
STILL = """new Promise(done => {
    const moves = () => document.getAnimations().some(each => each.playState === "running");
    const look = () => moves() ? requestAnimationFrame(look) : done();
    requestAnimationFrame(() => requestAnimationFrame(look));
})"""


def faults(page: Page) -> list[str]:
    """What axe finds grave, and what is wider than the window, once colours have settled."""
    page.evaluate(STILL)
    found: dict[str, Any] = Axe().run(page).response
    grave = [each for each in found["violations"] if each["impact"] in GRAVE]
    said = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in grave]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return said + ([f"{wide} px too wide"] if wide > 0 else [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_at_both_widths(
    place: Place, page: Page, complaints: list[str], theme: Any
) -> None:
    page.goto(f"{place.url}/login")
    found = {f"/login {theme}": faults(page)}
    place.enter(page, "chief", *(Grant(role) for role in EVERYTHING))
    page.emulate_media(color_scheme=theme)
    for path in paths(place, page):
        page.goto(place.url + path)
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            found[f"{path} {width}"] = faults(page)
    assert {path: said for path, said in found.items() if said} == {}
    # The page that is not there is an error on purpose.
    complaints[:] = [each for each in complaints if "404" not in each]


def test_the_theme_that_was_chosen_stays(place: Place, page: Page) -> None:
    place.enter(page, "rosa", Grant("reviewer"))
    colours = set()
    for theme in ("Light", "Dark"):
        page.locator("summary").click()
        page.get_by_role("button", name=theme).click()
        page.goto(f"{place.url}/queues")
        assert page.locator("html").get_attribute("data-theme") == theme.lower()
        colours.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(colours) == 2
