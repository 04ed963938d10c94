"""Tasks, labels and decisions by program."""

import csv
import io
import json
from datetime import timedelta

import pytest

from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import CONTRACT, LEADS, QUEUE, TOPIC, Bank, event
from tests.fixtures.service import Site
from tests.integration.test_api_people import Program

pytestmark = pytest.mark.real


@pytest.fixture
def anna(bank: Bank, site: Site) -> Program:
    bank.capture([event("p-1"), event("p-2"), event("p-3")])
    return Program(site, "anna", Grant("reviewer", "queue:unsure"))


@pytest.fixture
def data(bank: Bank, site: Site) -> Program:
    assert bank
    return Program(site, "dora", Grant("data", "model:loans"))


def claimed(program: Program, count: int = 1) -> list[dict[str, object]]:
    status, taken = program.call("POST /queues/unsure/claims", json={"count": count})
    assert status == 201
    items: list[dict[str, object]] = taken["items"]
    return items


def test_a_program_claims_sees_and_decides_a_task(anna: Program) -> None:
    status, listed = anna.call("GET /queues")
    assert [(one["name"], one["pending"]) for one in listed["items"]] == [("unsure", 3)]
    (held,) = claimed(anna)
    status, case = anna.call(f"GET /tasks/{held['task']}")
    assert (status, case["token"], case["answer"]["value"]) == (200, held["token"], "approve")
    assert (case["inputs"][0]["raw"], case["weights"][0]["part"]) == (4200.5, -1.0)
    sent = {"token": held["token"], "value": "refuse", "note": "no"}
    status, decided = anna.call(f"POST /tasks/{held['task']}/decisions", json=sent)
    assert (status, decided["value"], decided["agreed"], decided["status"]) == (
        201,
        "refuse",
        False,
        "decided",
    )
    status, listed = anna.call("GET /tasks?status=decided")
    assert [one["task_id"] for one in listed["items"]] == [held["task"]]
    status, undone = anna.call(f"POST /decisions/{decided['decision_id']}/undo", json={"hold": True})
    assert (status, undone["status"], undone["token"]) == (200, "pending", held["token"] + 1)  # type: ignore[operator] # an int


def test_the_list_of_tasks_goes_on_after_its_last_one(anna: Program) -> None:
    _, first = anna.call("GET /tasks?limit=2")
    _, rest = anna.call(f"GET /tasks?limit=2&after={first['next']}")
    ids = [one["task_id"] for one in first["items"] + rest["items"]]
    assert (len(set(ids)), rest["next"]) == (3, None)
    (held,) = claimed(anna)
    _, mine = anna.call("GET /tasks?mine=true")
    assert [one["task_id"] for one in mine["items"]] == [held["task"]]


def test_a_stale_token_is_told_as_such(anna: Program) -> None:
    (held,) = claimed(anna)
    path = f"/tasks/{held['task']}"
    status, renewed = anna.call(f"POST {path}/renew", json={"token": held["token"]})
    assert (status, renewed["task"]) == (200, held["task"])
    assert anna.call(f"POST {path}/release", json={"token": held["token"]})[0] == 204
    for act, more in (("renew", {}), ("release", {}), ("decisions", {"value": "approve"})):
        status, problem = anna.call(f"POST {path}/{act}", json={"token": held["token"], **more})
        assert (status, problem["code"]) == (409, "stale_claim")


def test_an_answer_that_does_not_fit_is_told_with_what_would(anna: Program) -> None:
    (held,) = claimed(anna)
    sent = {"token": held["token"], "value": "maybe"}
    status, problem = anna.call(f"POST /tasks/{held['task']}/decisions", json=sent)
    assert (status, problem["code"]) == (422, "unfit_answer")
    assert "refuse, approve" in problem["detail"]


def test_acts_on_a_held_task_by_program(bank: Bank, anna: Program) -> None:
    bank.apply(LEADS, {**QUEUE, "when_due": {"escalate": "leads"}})
    first, second = claimed(anna, 2)
    reason = {"token": first["token"], "reason": "odd"}
    assert anna.call(f"POST /tasks/{first['task']}/flag", json=reason)[0] == 204
    assert anna.call(f"POST /tasks/{first['task']}/escalate", json=reason) == (200, {"queue": "leads"})
    rest = {"token": second["token"], "until": "2026-11-21T12:00:00Z"}
    assert anna.call(f"POST /tasks/{second['task']}/snooze", json=rest)[0] == 204
    assert len(claimed(anna, 5)) == 1


def test_nobody_reaches_tasks_outside_their_grants(bank: Bank, anna: Program, site: Site) -> None:
    (held,) = claimed(anna)
    other = Program(site, "otto", Grant("reviewer", "queue:leads"))
    bank.apply(LEADS)
    assert other.call("GET /queues")[1]["items"][0]["name"] == "leads"
    assert other.call("GET /tasks")[1]["items"] == []
    for what, sent in (
        ("POST /queues/unsure/claims", {}),
        (f"POST /tasks/{held['task']}/renew", {"token": 1}),
        (f"POST /tasks/{held['task']}/decisions", {"token": 1, "value": "approve"}),
    ):
        assert other.call(what, json=sent)[0] == 403
    assert other.call(f"GET /tasks/{held['task']}")[0] == 403
    lead = Program(site, "lea", Grant("lead", "model:loans"))
    assert len(lead.call("GET /tasks")[1]["items"]) == 3


def test_a_lead_who_did_not_answer_ends_a_disagreement(bank: Bank, site: Site) -> None:
    bank.apply({**QUEUE, "reviewers": 2})
    bank.capture([event("p-1")])
    for login, value in (("anna", "approve"), ("bert", "refuse"), ("carl", "approve")):
        program = Program(site, login, Grant("reviewer"))
        (held,) = claimed(program)
        sent = {"token": held["token"], "value": value}
        assert program.call(f"POST /tasks/{held['task']}/decisions", json=sent)[0] == 201
    assert program.call("GET /tasks?status=decided")[1]["items"]
    path = f"POST /tasks/{held['task']}/adjudications"
    assert program.call(path, json={"value": "approve"})[0] == 403
    lead = Program(site, "lea", Grant("lead"))
    status, problem = lead.call(path, json={"value": "approve"})
    assert (status, problem["code"]) == (403, "adjudication_refused")


def test_labels_leave_as_pages_lines_and_csv_which_agree(anna: Program, data: Program, site: Site) -> None:
    for held in claimed(anna, 3):
        sent = {"token": held["token"], "value": "refuse"}
        assert anna.call(f"POST /tasks/{held['task']}/decisions", json=sent)[0] == 201
    _, first = data.call("GET /labels?model=loans&limit=2")
    _, rest = data.call(f"GET /labels?model=loans&after={first['next']}")
    items = first["items"] + rest["items"]
    assert ([one["seq"] for one in items], rest["next"]) == ([1, 2, 3], "0.3")
    client = site.app.test_client()
    headers = data._headers
    lines = client.get("/api/v1/labels?model=loans", headers=headers | {"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.data.splitlines()] == items
    table = client.get("/api/v1/labels?model=loans", headers=headers | {"Accept": "text/csv"})
    assert [row["label_id"] for row in csv.DictReader(io.StringIO(table.text))] == ["0.1", "0.2", "0.3"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=nobody", 403, "not_granted"),
        ("model=loans&after=7", 422, "unfit_cursor"),
        ("model=loans&limit=501", 422, "unprocessable_content"),
        ("", 422, "unprocessable_content"),
    ],
)
def test_labels_are_refused_in_words(data: Program, query: str, status: int, code: str) -> None:
    got, problem = data.call(f"GET /labels?{query}")
    assert (got, problem["code"]) == (status, code)


def test_a_body_that_is_no_json_is_not_taken_for_an_empty_one(anna: Program) -> None:
    status, problem = anna.call("POST /queues/unsure/claims", data="count=2")
    assert (status, problem["code"]) == (415, "unsupported_media_type")


def test_a_system_asks_what_became_of_its_prediction(anna: Program, data: Program) -> None:
    assert anna
    status, told = data.call("GET /decisions?model=loans&prediction_id=p-1")
    assert (status, told["status"], told["source"], told["model_value"]) == (200, "pending", TOPIC, "approve")
    status, problem = data.call("GET /decisions?model=loans&prediction_id=p-9")
    assert (status, problem["code"]) == (404, "not_captured")


def test_operators_see_quarantine_without_bytes_and_who_may_opens_them(bank: Bank, site: Site) -> None:
    bank.capture([b"\xff"])
    operator = Program(site, "olga", Grant("operator"))
    _, listed = operator.call("GET /quarantine")
    (one,) = listed["items"]
    assert (one["offset"], one["reason"], one["size"]) == (0, "not_utf8", 1)
    path = f"GET /quarantine/raw?log={one['log']}&seq={one['seq']}"
    assert operator.call(path)[0] == 403
    status, raw = Program(site, "audrey", Grant("auditor")).call(path)
    assert (status, raw["value"]) == (200, "/w==")


def test_a_case_that_is_late_says_so(bank: Bank, site: Site) -> None:
    bank.apply({**QUEUE, "due_in_minutes": 1}, {**CONTRACT, "title": "Loans"})
    bank.capture([event("p-1")])
    site.clock.at += timedelta(minutes=2)
    status, told = Program(site, "dora", Grant("data")).call("GET /decisions?model=loans&prediction_id=p-1")
    assert (status, told["status"]) == (200, "overdue")
