"""Every page shows what is there, to whom it is open, and changes it where it may."""

import html
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from reviewsvc.domain.permissions import Grant
from tests.fixtures.cases import CONTRACT, QUEUE, Bank, event
from tests.fixtures.installed import PASSWORD
from tests.fixtures.service import Site, Visitor

pytestmark = pytest.mark.real

EVERYTHING = tuple(
    Grant(role) for role in ("reviewer", "lead", "auditor", "data", "owner", "operator", "admin", "steward")
)
PAGES = [
    "/queues",
    "/tasks",
    "/labels",
    "/documents",
    "/documents/contract/loans",
    "/documents/new?kind=policy&name=loans",
    "/quarantine",
    "/activity",
    "/audit",
    "/audit/logs",
    "/audit/exports",
    "/audit/access",
    "/people",
    "/subjects",
    "/account",
    "/help/keys",
    "/api/docs",
]


@pytest.fixture
def cases(bank: Bank) -> Bank:
    bank.capture([*(event(f"p{number}") for number in range(3)), b'{"prediction_id": NaN', event("last")])
    return bank


@pytest.fixture
def chief(cases: Bank, site: Site) -> Visitor:  # noqa: ARG001 - the cases must be there
    return site.visitor("chief", *EVERYTHING)


def words(answer: TestResponse) -> str:
    """What a page says, without its tags."""
    assert answer.status_code == 200, answer.text
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(script|template)[\s\S]*?</\1>", " ", answer.text))
    return " ".join(html.unescape(text).split())


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_for_who_may_see_it_and_for_nobody_else(
    site: Site, chief: Visitor, path: str
) -> None:
    assert chief.get(path).status_code == 200
    if path not in {"/account", "/help/keys", "/api/docs"}:
        nobody = site.visitor("nobody")
        assert nobody.get(path).status_code in {403, 404}
    assert (site.visitor().get(path).status_code == 200) == (path == "/api/docs")


def test_the_list_of_places_has_only_those_that_are_open(site: Site, chief: Visitor) -> None:
    reviewer = site.visitor("rosa", Grant("reviewer", "queue:unsure"))
    for visitor, labels in (
        (
            chief,
            [
                *("Queues", "Tasks", "Labels", "Policies", "Quarantine"),
                *("Subjects", "Audit", "Activity", "People"),
            ],
        ),
        (reviewer, ["Queues", "Tasks"]),
    ):
        nav = re.search(r'<nav class="site-nav"[\s\S]*?</nav>', visitor.get("/account").text)
        assert nav
        assert re.findall(r">([A-Z][a-z]+)</a>", nav[0]) == labels


def test_tasks_are_found_by_their_prediction_and_hidden_from_others(
    site: Site, cases: Bank, chief: Visitor
) -> None:
    assert words(chief.get("/tasks")).count("Case ") == 4
    found = chief.get("/tasks?q=p1")
    (task,) = re.findall(r'href="(/tasks/[0-9a-f-]{36})"', found.text)
    assert "p1" in words(found)
    assert "No task like this" in words(chief.get("/tasks?q=p9"))
    said = words(chief.get(task))
    for expected in ("subject of p1", "Should this loan be given?", "4,200.5", "Nobody has answered yet"):
        assert expected in said, expected
    stranger = site.visitor("otto", Grant("reviewer", "queue:other"))
    assert stranger.get(task).status_code == 404
    assert "No task like this" in words(stranger.get("/tasks"))
    assert cases.kinds("activity").count("access") == 1


def test_a_decided_task_and_its_label_are_shown(site: Site, cases: Bank, chief: Visitor) -> None:
    rosa = cases.person("rosa")
    (held,) = cases.claim(rosa)
    cases.decide(rosa, held, "refuse")
    said = words(chief.get(f"/tasks/{held.task_id}"))
    for expected in ("Final answer: refuse", "Rosa", "corrected", "as the file says"):
        assert expected in said, expected
    listed = words(chief.get("/labels?model=loans"))
    for expected in ("1 in force", "p0", "refuse", "corrected", "unsure"):
        assert expected in listed, expected
    lines = chief.get("/labels/loans.jsonl")
    assert '"prediction_id":"p0"' in lines.text
    file = chief.get("/labels/loans.csv")
    assert file.headers["Content-Disposition"] == "attachment; filename=labels-loans.csv"
    assert file.text.splitlines()[0].startswith("label_id,seq,op")
    data = site.visitor("dora", Grant("data", "model:other"))
    assert data.get("/labels/loans.csv").status_code == 403


def test_a_disagreement_is_ended_by_a_lead_who_did_not_answer(site: Site, bank: Bank) -> None:
    bank.apply({**CONTRACT, "output": {"type": "number", "min": 0, "max": 9}}, {**QUEUE, "reviewers": 2})
    bank.capture([event("p", output={"value": 4, "confidence": 0.5})])
    for number, name in enumerate(("rosa", "otto", "eve")):
        person = bank.person(name)
        (held,) = bank.claim(person)
        bank.decide(person, held, str(number))
    page = f"/tasks/{held.task_id}"
    lead = site.visitor("lea", Grant("lead", "queue:unsure"))
    assert "End the disagreement" in words(lead.get(page))
    assert lead.post(f"{page}/adjudicate", own="ten").status_code == 303
    assert "expected a number" in words(lead.get(page))
    lead.post(f"{page}/adjudicate", own="3", note="the income is proved")
    said = words(lead.get(page))
    for expected in ("Final answer: 3", "adjudicated", "the income is proved"):
        assert expected in said, expected
    reviewer = site.visitor("rita", Grant("reviewer", "queue:unsure"))
    assert reviewer.post(f"{page}/adjudicate", own="3").status_code == 403


def test_a_quarantined_event_is_shown_and_opened_only_by_who_may(
    site: Site, cases: Bank, chief: Visitor
) -> None:
    operator = site.visitor("oscar", Grant("operator"))
    assert "nan: byte" in words(operator.get("/quarantine"))
    (place,) = re.findall(r'href="(/quarantine/\d+/\d+)"', operator.get("/quarantine").text)
    assert "Someone who may open payloads can show you" in words(operator.get(place))
    assert operator.post(f"{place}/open").status_code == 403
    before = cases.kinds("activity").count("access")
    assert '{"prediction_id": NaN' in words(chief.post(f"{place}/open"))
    assert cases.kinds("activity").count("access") == before + 1
    assert operator.get("/quarantine/999/1").status_code == 404


def test_acts_are_listed_by_kind_and_by_person(chief: Visitor) -> None:
    assert "Applied policy loans version 1" in words(chief.get("/activity"))
    people = words(chief.get("/activity?kind=entrances&actor=chief"))
    assert "Signed in" in people
    assert "Applied policy" not in people
    assert "Nothing fits" in words(chief.get("/activity?actor=nobody"))
    assert "Nothing fits" in words(chief.get("/activity?until=2026-11-21T08:00"))
    assert "Applied policy loans version 1" in words(chief.get("/activity?since=2026-11-21T08:00"))
    assert "is no time" in words(chief.get("/activity?since=soon"))


def test_a_new_version_is_shown_before_it_counts(chief: Visitor) -> None:
    form = chief.get("/documents/new?kind=policy&name=loans").text
    body = html.unescape(form.split("required>")[1].split("</textarea>")[0])
    changed = body.replace("below: 0.8", "below: 0.9")
    seen = words(chief.post("/documents/new", body=changed, step="preview"))
    assert "policy loans, version 2" in seen
    assert "0.8 -> 0.9" in seen
    assert "version 1" in words(chief.get("/documents/policy/loans"))
    assert chief.post("/documents/new", body=changed, step="apply").status_code == 303
    page = words(chief.get("/documents/policy/loans?version=2&against=1"))
    assert "What changed from version 1" in page
    assert "0.8 -> 0.9" in page
    broken = chief.post(
        "/documents/new", body=changed.replace("queue: unsure", "queue: none"), step="preview"
    )
    assert broken.status_code == 422
    assert "text:" in broken.text


def test_only_who_may_apply_documents_can(site: Site, chief: Visitor) -> None:
    auditor = site.visitor("ada", Grant("auditor"))
    body = html.unescape(
        chief.get("/documents/new?kind=queue&name=unsure").text.split("required>")[1].split("</textarea>")[0]
    )
    assert auditor.get("/documents/new").status_code == 403
    assert auditor.post("/documents/new", body=body, step="apply").status_code == 403
    assert "New version" not in auditor.get("/documents").text


def form(chief: Visitor, path: str, **fields: Any) -> str:
    answer = chief.post(path, **fields)
    assert answer.status_code == 303, answer.text
    return words(chief.get(str(answer.location)))


def test_a_person_is_added_granted_disabled_and_let_back_in(site: Site, chief: Visitor) -> None:
    answer = chief.post("/people", name="Rosa", login="rosa", password=PASSWORD)
    page = str(answer.location)
    assert "Rosa can sign in" in words(chief.get(page))
    rosa = site.visitor()
    assert rosa.log_in("rosa").status_code == 303
    assert "queue unsure" in form(chief, f"{page}/grants", role="reviewer", scope="queue:unsure")
    assert rosa.get("/queues").status_code == 200
    assert "there is no role" in form(chief, f"{page}/grants", role="king", scope="*")
    form(chief, f"{page}/grants/end", role="reviewer", scope="queue:unsure")
    assert rosa.get("/queues").status_code == 403
    assert "Disabled" in form(chief, f"{page}/disable")
    assert rosa.get("/account").status_code == 303
    assert site.visitor().log_in("rosa").status_code == 401
    form(chief, f"{page}/enable")
    assert site.visitor().log_in("rosa").status_code == 303
    form(chief, f"{page}/password", password="another-good-password")
    assert site.visitor().log_in("rosa").status_code == 401


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"login": "chief"}, "Someone has this login name already"),
        ({"login": "a b"}, "A login has"),
        ({"password": "short"}, "at least 12 characters"),
        ({"name": " "}, "A name has"),
    ],
)
def test_a_person_who_does_not_fit_is_refused_with_words(
    chief: Visitor, fields: dict[str, str], fault: str
) -> None:
    answer = chief.post("/people", **{"name": "Rosa", "login": "rosa", "password": PASSWORD, **fields})
    assert answer.status_code == 422
    assert fault in html.unescape(answer.text)
    assert PASSWORD not in answer.text


def test_a_token_is_shown_once_and_works_until_it_is_ended(site: Site, chief: Visitor) -> None:
    person = f"/people/{site.house.add_person('dora', Grant('data'))}"
    assert chief.post(f"{person}/tokens", token_name="x", days="30").status_code == 422
    page = chief.post(f"{person}/tokens", token_name="nightly", scopes="labels", days="30")
    (token,) = re.findall(r'<code class="mono">([^<]+)</code>', page.text)
    headers = {"Authorization": f"Bearer {token}"}
    assert site.visitor().get("/api/v1/labels?model=loans", headers=headers).status_code == 200
    assert site.visitor().get("/api/v1/queues", headers=headers).status_code == 403
    assert token not in chief.get(person).text
    (ended,) = re.findall(r'action="([^"]+/tokens/[^"]+/end)"', page.text)
    form(chief, ended)
    assert site.visitor().get("/api/v1/labels?model=loans", headers=headers).status_code == 401


def test_a_person_keeps_their_habits_password_and_sessions(site: Site) -> None:
    rosa = site.visitor("rosa", Grant("reviewer"))
    rosa.post("/preferences", theme="dark", time_zone="Europe/Stockholm", next="/account")
    page = rosa.get("/account").text
    assert 'data-theme="dark"' in page
    assert 'data-keys="off"' in page
    assert "CET" in page
    assert rosa.post("/account/password", old="wrong wrong", new="another-good-password").status_code == 422
    elsewhere = site.visitor()
    elsewhere.log_in("rosa")
    (ended,) = re.findall(r'action="(/people/[^"]+/sessions/[^"]+/end)"', rosa.get("/account").text)
    assert rosa.post(ended).location == "/account"
    assert elsewhere.get("/account").status_code == 303
    elsewhere.log_in("rosa")
    assert rosa.post("/account/password", old=PASSWORD, new="another-good-password").status_code == 303
    assert elsewhere.get("/account").status_code == 303
    assert rosa.get("/account").status_code == 200


def test_nobody_ends_the_session_of_another(site: Site) -> None:
    rosa, otto = site.visitor("rosa"), site.visitor("otto")
    otto.log_in("otto")
    (own,) = re.findall(r'action="(/people/[^"]+/sessions/[^"]+/end)"', otto.get("/account").text)
    assert rosa.post(own).status_code == 403
    me, _, rest = own.partition("/sessions/")
    other = re.sub(r"[0-9a-f-]{36}", str(site.house.add_person("eve")), me)
    assert rosa.post(f"{other}/sessions/{rest}").status_code == 403


def test_colours_are_kept_before_signing_in(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/login")
    assert visitor.post("/preferences/theme", theme="dark", next="/login").location == "/login"
    assert 'data-theme="dark"' in visitor.get("/login").text
    assert visitor.post("/preferences/theme", theme="pink", next="/login").status_code == 400
