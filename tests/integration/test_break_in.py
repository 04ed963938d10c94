"""What somebody tries who wants more than their roles give, or wants the service to fall over."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import sqlalchemy as sa
from werkzeug.routing import Rule

from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import PERMISSIONS, Grant
from reviewsvc.usecases import people, tokens
from reviewsvc.usecases.export_making import Exporter
from tests.fixtures.cases import CONTRACT, POLICY, QUEUE, Bank, event
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Site
from tests.integration.test_exports import finish
from tests.integration.test_web_entrance import bearer

pytestmark = pytest.mark.real

OWN = tuple(Grant(role, scope) for role in PERMISSIONS for scope in ("model:loans", "queue:unsure"))
# What serves everybody, or everybody who is signed in, or shows of a list what is one's own.
OPEN = {
    "/",
    "/account",
    "/account/password",
    "/api/docs",
    "/api/docs/",
    "/api/docs/openapi.json",
    "/api/v1/me",
    "/api/v1/queues",
    "/api/v1/receipts/verify",
    "/api/v1/tasks",
    "/documents",
    "/documents/new",
    "/healthz",
    "/help/keys",
    "/labels",
    "/login",
    "/logout",
    "/metrics",
    "/preferences",
    "/preferences/keys",
    "/preferences/theme",
    "/queues",
    "/queues/rows",
    "/readyz",
    "/tasks",
    "/verify",
}


PLACES = {
    "labels": {"model": "cars"},
    "decisions": {"model": "cars", "prediction_id": "c1"},
    "case": {"seq": "1"},
    "receipt": {"seq": "1"},
    "raw": {"seq": "1"},
    "grants": {"role": "admin", "scope": "*"},
}
BODIES: dict[str, dict[str, Any]] = {
    "claims": {},
    "undo": {},
    "search": {"model": "cars"},
    "decisions": {"value": "approve", "token": 1},
    "adjudications": {"value": "approve"},
    "snooze": {"until": "2026-11-21T12:00:00Z", "token": 1},
    "renew": {"token": 1},
    "release": {"token": 1},
    "flag": {"token": 1, "reason": "x"},
    "escalate": {"token": 1, "reason": "x"},
    "people": {"login": "eve"},
    "grants": {"role": "admin", "scope": "*"},
    "tokens": {"name": "x", "scopes": ["*"]},
}
ERASE = {"subject": "subject of c1", "reason": "x"}
FORM = {
    "token": 1,
    "count": 1,
    "minutes": 5,
    "value": "approve",
    "why": "audit",
    "role": "admin",
    "scope": "*",
    **ERASE,
}


class Others(NamedTuple):
    """Things of a model and a queue of others: by the names that routes have for them, and their log."""

    parts: dict[str, Any]
    log: str

    def path(self, site: Site, rule: Rule, method: str) -> str:
        """Return a route's address with their ids in it."""
        choices = {
            name: words.split(",")[0] for words, name in re.findall(r"<any\((.+?)\):(\w+)>", rule.rule)
        }
        known = {"place": f"{self.log}/checkpoint"} | self.parts | choices
        parts = {name: known.get(name, self.parts["person_id"]) for name in rule.arguments}
        return str(site.app.url_map.bind("localhost").build(rule.endpoint, parts, method=method))

    def sent(self, rule: Rule, method: str) -> dict[str, Any]:
        """Return what is sent to a route, so that it is well formed."""
        last = rule.rule.rpartition("/")[2]
        if method in {"GET", "DELETE"}:
            log = {"log": self.log} if last in {"case", "receipt", "raw"} else {}
            return {"query_string": PLACES.get(last, {}) | log}
        if rule.rule.startswith("/api"):
            export = {"kind": "model", "model": "cars", "purpose": "x"}
            reason = {"reason": "x"} if "hold_id" in rule.arguments else ERASE
            return {"json": export if rule.rule == "/api/v1/exports" else BODIES.get(last, reason)}
        return {"data": dict(FORM)}


@pytest.fixture
def others(bank: Bank) -> Others:
    mine = {**POLICY, "name": "cars", "rules": [{**POLICY["rules"][0], "queue": "fast"}]}
    bank.apply({**CONTRACT, "name": "cars"}, {**QUEUE, "name": "fast"}, mine)
    bank.capture([event(f"c{number}", model={"name": "cars", "version": "1.0"}) for number in range(3)])
    rita = bank.person("rita", "reviewer", "model:cars")
    decided, held = bank.claim(rita, 2, queue="fast")
    (log,) = bank.rows(sa.select(t.log.c.log_id, t.log.c.name).where(t.log.c.name.like("predictions/%")))
    parts = {"queue": "fast", "model": "cars", "name": "cars", "seq": 1, "item": 0, "person_id": rita.id}
    parts |= {"task_id": held.task_id, "decision_id": bank.decide(rita, decided).decision_id}
    return Others({**parts, "session_hash": "00" * 32, "session": "00" * 32, "log_id": log.log_id}, log.name)


def test_all_roles_for_one_model_and_one_queue_open_nothing_of_others(
    site: Site, bank: Bank, others: Others
) -> None:
    api, page = bearer(site, "mallory", *OWN), site.visitor()
    page.log_in("mallory")
    written = sa.select(sa.func.count()).select_from(t.entry)
    before, opened = bank.rows(written), []
    for rule in site.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"} if rule.rule not in OPEN else ():
            path, sent = others.path(site, rule, method), others.sent(rule, method)
            sent.get("data", {})["csrf_token"] = page.csrf
            answer = page.client.open(
                path, method=method, headers=api if path.startswith("/api") else {}, **sent
            )
            if answer.status_code not in {403, 404}:
                opened.append(f"{method} {rule.rule}: {answer.status_code} {answer.text[:200]}")
    assert opened == []
    assert bank.rows(written) == before


def test_a_token_makes_no_token_that_may_more_than_itself(site: Site) -> None:
    admin = site.house.add_person("root", Grant("admin"), Grant("auditor"))
    headers = bearer(site, "boss", Grant("admin"), scopes=("tokens.manage", "people.see"))
    call = site.app.test_client().post
    for scopes, status in ((["*"], 403), (["people.*"], 403), (["people.see"], 201), (["tokens.*"], 201)):
        made = call(f"/api/v1/people/{admin}/tokens", json={"name": "x", "scopes": scopes}, headers=headers)
        assert made.status_code == status, scopes


def test_a_token_takes_no_payload_out_that_it_may_not_open(signed: SealedBank, site: Site) -> None:
    signed.bank.capture([event(f"p{number}") for number in range(3)])
    signed.seal()
    exporter = Exporter(signed.sessions, signed.bank.house.keyring, site.held.exports)
    narrow = bearer(site, "ada", Grant("auditor"), scopes=("entries.export",))
    ada = people.get_by_login(site.house.sessions, "ada").person.person_id
    wide = {"Authorization": f"Bearer {token_of(site, ada, 'entries.*', 'payloads.open')}"}
    client, seen = site.app.test_client(), []
    for headers in (narrow, wide):
        asked = client.post("/api/v1/exports", json={"kind": "range", "purpose": "x"}, headers=headers)
        assert asked.json is not None
        finish(signed, exporter, 3)
        address = f"/api/v1/exports/{asked.json['id']}"
        told = client.get(address, headers=headers).json
        assert told is not None
        bundle = f"{address}/bundle"
        taken = [client.get(bundle, headers=each, buffered=True).status_code for each in (narrow, wide)]
        seen.append((told["state"], told["disclosed"] > 0, taken))
    assert seen == [("done", False, [200, 200]), ("done", True, [403, 200])]


def token_of(site: Site, person_id: UUID, *scopes: str) -> str:
    house, ends = site.house, AT + timedelta(days=1)
    made = tokens.create(
        house.sessions, house.keyring, person_id, "x", scopes=scopes, expires_at=ends, actor=SYSTEM, at=AT
    )
    return made.text


HOSTILE: list[tuple[bytes, int]] = [
    (b"[" * 100_000, 400),
    (b'{"a":' * 50_000, 400),
    (b"1" * 5_000, 400),
    (b'{"kind": "\\ud800"}', 422),
    (b'{"kind": "range", "purpose": "x", "from": "0001-01-01T00:00:00+14:00"}', 422),
]


@pytest.mark.parametrize(("body", "status"), HOSTILE)
def test_no_body_makes_the_service_fail(site: Site, body: bytes, status: int) -> None:
    headers = bearer(site, "ada", Grant("auditor"))
    post = site.app.test_client().post
    answer = post("/api/v1/exports", data=body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert json.loads(answer.data)["status"] == status


def test_no_address_and_no_field_makes_the_service_fail(make_site: Callable[..., Site], bank: Bank) -> None:
    site = make_site(logs_open=True)
    chief = site.visitor("chief", *(Grant(role) for role in PERMISSIONS))
    assert bank.house.installation
    for path in ("/logs/a%00b/checkpoint", "/documents/contract/none", "/documents/queue/%27"):
        assert chief.get(path).status_code == 404, path
    digits = "9" * 5_000
    for path, fields in (
        ("/audit", {"after": f"{digits}.1.1"}),
        ("/queues/unsure/cards", {"count": digits}),
        ("/queues/unsure/renew", {"claim": f"{UUID(int=0)}:{digits}"}),
    ):
        assert chief.post(path, **fields).status_code == 400, path
    refused = chief.post("/people", login="eve", name="Eve", password="x" * 5_000)
    assert (refused.status_code, "1 to 1024 characters" in refused.text) == (422, True)


def test_no_text_of_a_producer_is_a_formula_in_a_sheet(site: Site, bank: Bank) -> None:
    bank.decided(bank.person("rita"), "=1+1")
    page = site.visitor("dora", Grant("data"))
    assert ",'=1+1," in page.get("/labels/loans.csv").text
    assert '"prediction_id":"=1+1"' in page.get("/labels/loans.jsonl").text
    headers = bearer(site, "eve", Grant("data")) | {"Accept": "text/csv"}
    told = page.client.get("/api/v1/labels?model=loans", headers=headers, buffered=True)
    assert ",=1+1," in told.text
