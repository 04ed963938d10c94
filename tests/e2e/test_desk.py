"""The desk in a browser: answered by keys alone, undone, refused with words."""

import json
import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import Grant
from tests.e2e.conftest import Place
from tests.fixtures.cases import CONTRACT, event
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.browser

REVIEWER = Grant("reviewer", "queue:unsure")


@pytest.fixture
def desk(place: Place, page: Page) -> Page:
    place.enter(page, "rosa", REVIEWER)
    with page.expect_response(re.compile("/cards$")):
        page.get_by_role("link", name="Review Unsure loans").click()
    expect(page.locator(".case")).to_be_visible()
    return page


def task(page: Page) -> str:
    return str(page.locator(".case").get_attribute("data-task"))


def press(page: Page, key: str) -> str:
    """Press a key and return the task that is shown next."""
    before = task(page)
    page.keyboard.press(key)
    expect(page.locator(".case")).not_to_have_attribute("data-task", before)
    return task(page)


def test_ten_cases_are_decided_by_keys_alone_and_one_is_taken_back(place: Place, desk: Page) -> None:
    seen = [task(desk), *(press(desk, key) for key in "a1a2cca12a")]
    assert len(set(seen)) == 11
    expect(desk.locator("[data-day=decided]")).to_have_text("10")
    last = seen[-2]
    assert press(desk, "u") == last
    expect(desk.locator("[data-said]")).to_have_text("Taken back. Answer it again.")
    expect(desk.locator("[data-day=decided]")).to_have_text("9")
    assert press(desk, "2") == seen[-1]
    expect(desk.locator("[data-day=decided]")).to_have_text("10")
    assert place.bank.kinds("activity").count("decision") == 11
    assert place.bank.kinds("activity").count("retraction") == 1


def test_a_text_is_agreed_to_by_one_key_or_changed_where_it_stands(place: Place, page: Page) -> None:
    policy = {"kind": "policy", "name": "letters", "rules": [{"id": "every", "queue": "letters"}]}
    contract = {**CONTRACT, "name": "letters", "output": {"type": "text"}}
    place.bank.apply(contract, policy, {"kind": "queue", "name": "letters"})
    model, output = {"name": "letters", "version": "1.0"}, {"text": "Dear customer,\n\nyes.\n"}
    place.bank.capture([event(f"letter-{number}", model=model, output=output) for number in range(2)])
    place.enter(page, "rosa", Grant("reviewer", "queue:letters"))
    with page.expect_response(re.compile("/cards$")):
        page.get_by_role("link", name="Review letters").click()
    press(page, "a")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-said]")).to_have_text("Choose an answer first: Escape, then a or a number.")
    page.keyboard.press("c")
    page.keyboard.press("Control+End")
    page.keyboard.type("Yours")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-day=decided]")).to_have_text("2")
    entries = [json.loads(row.body) for row in place.bank.rows(sa.select(t.entry.c.body))]
    assert sorted(one["facts"]["agreed"] for one in entries if one["kind"] == "decision") == [False, True]


def test_a_note_travels_with_its_answer(place: Place, desk: Page) -> None:
    shown = task(desk)
    desk.keyboard.press("n")
    desk.keyboard.type("a 1 u are no commands here")
    desk.keyboard.press("Escape")
    press(desk, "a")
    expect(desk.locator("[data-day=decided]")).to_have_text("1")
    desk.goto(f"{place.url}/tasks/{shown}")
    expect(desk.locator("main")).to_contain_text("a 1 u are no commands here")


def test_an_answer_that_is_not_taken_brings_its_card_back_with_words(
    place: Place, desk: Page, complaints: list[str]
) -> None:
    shown = task(desk)
    desk.locator("#answer input[name=token]").evaluate("field => { field.value = '99' }")
    desk.keyboard.press("a")
    expect(desk.locator("[data-refused]")).to_contain_text("Your claim on this task has ended")
    assert task(desk) == shown
    desk.keyboard.press("Enter")
    expect(desk.locator(".case")).not_to_have_attribute("data-task", shown)
    assert place.bank.kinds("activity").count("decision") == 0
    assert [each for each in complaints if "409" not in each] == []
    complaints.clear()


@pytest.mark.parametrize(
    ("key", "typed", "words"), [("e", "needs a lawyer", "Escalated."), ("s", "", "Put off.")]
)
def test_a_case_is_passed_on_by_keys(desk: Page, key: str, typed: str, words: str) -> None:
    shown = task(desk)
    desk.keyboard.press(key)
    if typed:
        desk.keyboard.type(typed)
        desk.keyboard.press("Control+Enter")
    else:
        desk.keyboard.press("Enter")
    expect(desk.locator(".case")).not_to_have_attribute("data-task", shown)
    expect(desk.locator("[data-said]")).to_have_text(words)


def test_the_last_case_leaves_a_page_that_says_so(desk: Page) -> None:
    for _ in range(13):
        press(desk, "a")
    desk.keyboard.press("1")
    expect(desk.get_by_role("heading", name="Nothing is waiting")).to_be_visible()
    expect(desk.locator("[data-day=decided]")).to_have_text("14")


def test_leaving_the_page_gives_back_what_was_ahead(place: Place, desk: Page) -> None:
    held = sa.select(t.slot.c.slot_id).where(t.slot.c.state == "claimed")
    assert len(place.bank.rows(held)) == 4
    desk.goto(f"{place.url}/queues")
    assert eventually(lambda: len(place.bank.rows(held)) == 1)


def test_single_keys_can_be_switched_off(place: Place, desk: Page) -> None:
    desk.goto(f"{place.url}/account")
    desk.get_by_label("Single letters and digits").uncheck()
    desk.get_by_role("button", name="Save").click()
    desk.goto(f"{place.url}/queues/unsure/desk")
    shown = task(desk)
    desk.keyboard.press("a")
    desk.get_by_title("Keys").click()
    expect(desk.get_by_role("dialog")).to_contain_text("Single-letter keys are off")
    assert task(desk) == shown


def test_a_single_key_can_be_another_one(place: Place, desk: Page, complaints: list[str]) -> None:
    desk.goto(f"{place.url}/account")
    desk.get_by_label("Agree", exact=True).fill("c")
    desk.get_by_role("button", name="Set the keys").click()
    expect(desk.get_by_role("alert")).to_contain_text("c is given to two acts")
    desk.get_by_label("Agree", exact=True).fill("y")
    desk.get_by_role("button", name="Set the keys").click()
    desk.goto(f"{place.url}/queues/unsure/desk")
    expect(desk.locator("[data-act=agree] .key")).to_have_text("y")
    shown = task(desk)
    desk.keyboard.press("a")
    assert task(desk) == shown
    press(desk, "y")
    expect(desk.locator("[data-day=decided]")).to_have_text("1")
    # The first answer is an error on purpose.
    complaints[:] = [each for each in complaints if "422" not in each]


def test_rows_of_a_list_are_walked_by_keys(place: Place, desk: Page) -> None:
    desk.goto(f"{place.url}/tasks")
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    expect(desk.locator("tbody tr").nth(1)).to_have_attribute("aria-selected", "true")
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(r"/tasks/[0-9a-f-]{36}$"))
