"""The desk without scripts, and what its scripts are answered."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import LEADS, QUEUE, Bank, event
from tests.fixtures.service import Site, Visitor

pytestmark = pytest.mark.real

REVIEWER = Grant("reviewer", "queue:unsure")
DESK = "/queues/unsure/desk"
SCRIPT = {"Accept": "application/json", "Sec-Fetch-Dest": "empty"}


@pytest.fixture
def cases(bank: Bank) -> Bank:
    bank.apply({**QUEUE, "when_due": {"escalate": "leads"}}, LEADS)
    bank.capture(event(f"p{number}") for number in range(8))
    return bank


@pytest.fixture
def rosa(cases: Bank, site: Site) -> Visitor:  # noqa: ARG001 - the cases must be there
    return site.visitor("rosa", REVIEWER)


def shown(answer: TestResponse) -> dict[str, str]:
    """The marks of the first card on a page."""
    assert answer.status_code == 200, answer.text
    return {
        name: html.unescape(found[1])
        for name in ("task", "token", "key")
        if (found := re.search(rf'data-{name}="([^"]+)"', answer.text))
    }


def decide(visitor: Visitor, card: dict[str, str], value: str = "approve", **more: Any) -> TestResponse:
    fields = {"queue": "unsure", "token": card["token"], "value": value, "idempotency_key": card["key"]}
    return visitor.post(f"/tasks/{card['task']}/decide", **{**fields, **more})


def script(visitor: Visitor, path: str, key: str | None = None, **fields: Any) -> TestResponse:
    headers = {**SCRIPT, "X-CSRFToken": visitor.csrf, **({"Idempotency-Key": key} if key else {})}
    return visitor.client.post(path, data=fields, headers=headers)


def test_a_case_is_answered_and_taken_back_without_scripts(rosa: Visitor) -> None:
    left = shown(rosa.get(DESK))
    first = shown(rosa.get(DESK))
    assert first["task"] == left["task"]
    answer = decide(rosa, first)
    assert (answer.status_code, answer.location) == (303, DESK)
    page = rosa.get(DESK)
    assert "Agreed: Approve" in page.text
    assert shown(page)["task"] != first["task"]
    undo = re.search(r'action="(/decisions/[0-9a-f-]{36}/undo)"', page.text)
    assert undo
    assert rosa.post(undo[1], queue="unsure").location == DESK
    again = rosa.get(DESK)
    assert "Taken back. Answer it again." in again.text
    assert shown(again)["task"] == first["task"]
    assert int(shown(again)["token"]) > int(first["token"])


def test_the_card_shows_what_is_needed_to_decide(rosa: Visitor) -> None:
    text = rosa.get(DESK).text
    for words in ("Should this loan be given?", "Income", "4,200.5", "dollars", "Unsure", "60", "clerk"):
        assert words in text, words


def test_an_unfit_answer_brings_the_case_back_with_words(rosa: Visitor) -> None:
    card = shown(rosa.get(DESK))
    assert decide(rosa, card, "perhaps").status_code == 303
    page = rosa.get(DESK)
    assert "expected one of refuse, approve" in page.text
    assert shown(page)["task"] == card["task"]


def test_an_old_claim_cannot_answer(rosa: Visitor) -> None:
    card = shown(rosa.get(DESK))
    refused = script(
        rosa, f"/tasks/{card['task']}/decide", "k1", token=int(card["token"]) + 7, value="approve"
    )
    assert (refused.status_code, refused.mimetype) == (409, "application/problem+json")
    assert refused.json is not None
    assert refused.json["code"] == "stale_claim"


def test_an_answer_sent_twice_under_one_key_is_one_answer(rosa: Visitor) -> None:
    card = shown(rosa.get(DESK))
    sent = {"token": card["token"], "value": "refuse"}
    first = script(rosa, f"/tasks/{card['task']}/decide", card["key"], **sent)
    again = script(rosa, f"/tasks/{card['task']}/decide", card["key"], **sent)
    assert first.status_code == 200, first.text
    assert first.json is not None
    assert first.json["day"]["decided"] == 1
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    other = script(rosa, f"/tasks/{card['task']}/decide", card["key"], token=card["token"], value="approve")
    assert (other.status_code, (other.json or {})["code"]) == (422, "key_reused")


def test_scripts_take_cards_ahead_and_give_them_back(site: Site, rosa: Visitor) -> None:
    first = shown(rosa.get(DESK))
    text = script(rosa, "/queues/unsure/cards", count=3, held=first["task"]).text
    tasks = re.findall(r'data-task="([^"]+)"', text)
    tokens = re.findall(r'data-token="([^"]+)"', text)
    assert len(set(tasks) | {first["task"]}) == 4
    claims = [f"{task}:{token}" for task, token in zip(tasks, tokens, strict=True)]
    assert script(rosa, "/queues/unsure/release", claim=claims).status_code == 204
    other = site.visitor("otto", REVIEWER)
    assert shown(other.get(DESK))["task"] == tasks[0]
    renewed = script(
        rosa, "/queues/unsure/renew", claim=[f"{first['task']}:{first['token']}", claims[0]]
    ).json
    assert renewed is not None
    assert renewed["lost"] == [tasks[0]]
    assert renewed["lease_until"]


def test_what_a_page_that_was_left_gives_back_late_stays_with_the_page_that_took_it_over(
    rosa: Visitor,
) -> None:
    first = shown(rosa.get(DESK))
    ahead = shown(script(rosa, "/queues/unsure/cards", count=1, held=[first["task"]]))
    again = shown(rosa.get(DESK))
    after = shown(script(rosa, "/queues/unsure/cards", count=1, held=[again["task"]]))
    given_back = [f"{left['task']}:{left['token']}" for left in (first, ahead)]
    assert script(rosa, "/queues/unsure/release", claim=given_back).status_code == 204
    for card in (again, after):
        sent = {"token": card["token"], "value": "approve"}
        assert script(rosa, f"/tasks/{card['task']}/decide", card["key"], **sent).status_code == 200


def test_an_undo_by_script_returns_the_card_again(rosa: Visitor) -> None:
    card = shown(rosa.get(DESK))
    taken = script(
        rosa, f"/tasks/{card['task']}/decide", card["key"], token=card["token"], value="refuse"
    ).json
    assert taken is not None
    back = script(rosa, f"/decisions/{taken['decision']['id']}/undo", "undo-1")
    assert shown(back)["task"] == card["task"]
    assert shown(back)["key"] != card["key"]
    refused = script(rosa, f"/decisions/{taken['decision']['id']}/undo", "undo-2")
    assert (refused.status_code, (refused.json or {})["code"]) == (409, "undo_refused")


@pytest.mark.parametrize(
    ("act", "fields", "words"),
    [
        ("release", {}, "Given back"),
        ("snooze", {"minutes": 60}, "Put off"),
        ("escalate", {"reason": "needs a lawyer"}, "Escalated"),
        ("flag", {"reason": "the income is odd"}, "Flagged"),
    ],
)
def test_other_acts_say_what_was_done(rosa: Visitor, act: str, fields: dict[str, Any], words: str) -> None:
    card = shown(rosa.get(DESK))
    assert rosa.post(f"/tasks/{card['task']}/{act}", token=card["token"], **fields).location == DESK
    page = rosa.get(DESK)
    assert words in page.text
    assert (shown(page)["task"] == card["task"]) == (act in {"flag", "release"})


def test_a_page_fetched_ahead_claims_nothing(rosa: Visitor) -> None:
    page = rosa.get(DESK, headers={"Sec-Purpose": "prefetch;prerender"})
    assert "data-task" not in page.text
    assert ">0<" in rosa.get("/queues").text


def test_an_empty_queue_says_so(rosa: Visitor) -> None:
    for _ in range(8):
        card = shown(rosa.get(DESK))
        decide(rosa, card)
    assert "Nothing is waiting in Unsure loans" in rosa.get(DESK).text
    assert script(rosa, "/queues/unsure/cards", count=3).text == ""


def test_a_queue_that_is_not_granted_is_refused(site: Site, rosa: Visitor) -> None:
    stranger = site.visitor("otto", Grant("reviewer", "queue:leads"))
    assert stranger.get(DESK).status_code == 403
    assert "Unsure loans" not in stranger.get("/queues").text
    card = shown(rosa.get(DESK))
    assert decide(stranger, card).status_code == 403


def test_waiting_rows_are_sent_again_only_when_they_change(rosa: Visitor) -> None:
    first = rosa.get("/queues/rows")
    same = rosa.get("/queues/rows", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, same.status_code, same.data) == (200, 304, b"")


def test_scripts_by_themselves_keep_no_session_alive(site: Site, rosa: Visitor) -> None:
    card = shown(rosa.get(DESK))
    for _ in range(4):
        site.clock.at += timedelta(minutes=9)
        answer = script(rosa, "/queues/unsure/renew", claim=f"{card['task']}:{card['token']}")
    assert (answer.status_code, (answer.json or {})["code"]) == (401, "not_signed_in")
