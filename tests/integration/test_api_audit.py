"""What the auditor's pages do, by program."""

import pytest

from reviewsvc.db import troubles
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases.export_making import Exporter
from tests.fixtures.cases import event
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Site
from tests.integration.test_api_people import Program

pytestmark = pytest.mark.real


@pytest.fixture
def ada(signed: SealedBank, site: Site) -> Program:
    signed.bank.capture([event(f"p-{number}") for number in range(5)])
    rosa = signed.bank.person("rosa")
    (held,) = signed.bank.claim(rosa)
    signed.bank.decide(rosa, held, "refuse")
    program = Program(site, "ada", Grant("auditor"))
    signed.seal()
    return program


def test_a_case_is_found_told_proved_and_verified(ada: Program, site: Site) -> None:
    status, first = ada.call("POST /audit/search", json={"limit": 3})
    assert (status, len(first["items"])) == (200, 3)
    _, rest = ada.call("POST /audit/search", json={"after": first["next"]})
    assert (len(rest["items"]), rest["next"]) == (2, None)
    _, found = ada.call("POST /audit/search", json={"prediction_id": "p-0", "model": "loans"})
    place = found["items"][0]["case"]
    where = f"log={place['log']}&seq={place['seq']}"
    status, story = ada.call(f"GET /audit/case?{where}")
    assert [step["what"] for step in story["steps"]] == [
        "policy",
        "captured",
        "routed",
        "opened",
        "decided",
        "label",
    ]
    assert all(step["is_sealed"] for step in story["steps"])
    status, receipt = ada.call(f"GET /audit/receipt?{where}")
    assert receipt["receipt"].startswith(receipt["entry"])
    given = {"receipt": receipt["proof"], "entry": receipt["entry"]}
    answer = site.app.test_client().post("/api/v1/receipts/verify", json=given)
    assert answer.get_json()["verdict"] == "VERIFIED"
    assert ada.call("GET /audit/case?log=root/0&seq=0")[0] == 404
    assert ada.call("GET /audit/receipt?log=nowhere/0&seq=0")[0] == 404
    status, problem = ada.call("POST /receipts/verify", json={"receipt": "hello"})
    assert (status, problem["code"]) == (422, "unreadable_receipt")
    status, problem = ada.call("POST /audit/search", json={"subject": "nobody"})
    assert (status, problem["code"]) == (422, "unfit_search")


def test_a_program_asks_for_a_bundle_and_takes_it(ada: Program, signed: SealedBank, site: Site) -> None:
    status, asked = ada.call("POST /exports", json={"kind": "range", "purpose": "an audit"})
    assert (status, asked["state"]) == (202, "waiting")
    exporter = Exporter(signed.sessions, signed.bank.house.keyring, site.held.exports)
    for _ in range(3):
        exporter.step(AT)
        signed.seal()
    _, done = ada.call(f"GET /exports/{asked['id']}")
    assert (done["state"], done["purpose"], done["is_mine"]) == ("done", "an audit", True)
    _, listed = ada.call("GET /exports")
    assert [one["id"] for one in listed["items"]] == [asked["id"]]
    status, problem = ada.call("POST /exports", json={"kind": "queue", "purpose": "an audit"})
    assert (status, problem["code"]) == (422, "unfit_question")
    assert ada.call(f"GET /exports/{signed.bank.person('someone').id}")[0] == 404


def test_logs_and_opened_payloads_are_told(ada: Program, signed: SealedBank, site: Site) -> None:
    with signed.sessions.begin() as session:
        troubles.note(session, "seal", "the signer does not answer", AT)
    _, logs = ada.call("GET /audit/logs")
    assert [(each["step"], each["why"]) for each in logs["troubles"]] == [
        ("seal", "the signer does not answer")
    ]
    assert {log["name"] for log in logs["items"]} == set(signed.logs())
    assert (logs["anchors"], logs["unsealed"]) == ([], 0)
    _, opened = ada.call("GET /audit/access?who=rosa")
    assert [(one["who"], one["why"], one["model"]) for one in opened["items"]] == [
        ("Rosa", "to decide it", "loans")
    ]
    stranger = Program(site, "otto", Grant("reviewer"))
    for call in ("GET /audit/logs", "GET /audit/access", "GET /exports"):
        assert stranger.call(call)[0] == 403
