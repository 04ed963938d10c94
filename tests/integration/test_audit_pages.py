"""The auditor's pages: what is found, told and proved, to whom, and what becomes of bad input."""

import html
import json
import re
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from werkzeug.test import TestResponse

from reviewsvc.domain.permissions import Grant
from tests.fixtures.bundled import alone, verifier_keys
from tests.fixtures.cases import POLICY, event
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Site, Visitor

pytestmark = pytest.mark.real

SURE = {"output": {"label": "refuse", "confidence": 0.97, "scores": {"approve": 0.03, "refuse": 0.97}}}
CASE = re.compile(r'href="(/audit/cases/\d+/\d+)"')


@pytest.fixture
def audited(signed: SealedBank) -> SealedBank:
    """Four cases, of which two were answered, and everything sealed."""
    bank = signed.bank
    bank.apply({**POLICY, "rules": POLICY["rules"][:1]})
    bank.capture([event("p0"), event("p1", subject="one"), event("p2", subject="one"), event("sure", **SURE)])
    rosa, otto = bank.person("rosa"), bank.person("otto")
    (first,) = bank.claim(rosa)
    bank.decide(rosa, first, "refuse")
    (second,) = bank.claim(otto)
    bank.decide(otto, second, "approve")
    signed.seal()
    return signed


@pytest.fixture
def ada(audited: SealedBank, site: Site) -> Visitor:  # noqa: ARG001 - the cases must be there
    return site.visitor("ada", Grant("auditor"))


def words(answer: TestResponse) -> str:
    """What a page says, without its tags."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(script|template)[\s\S]*?</\1>", " ", answer.text))
    return " ".join(html.unescape(text).split())


def cases(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return CASE.findall(answer.text)


def test_a_search_finds_exactly_what_is_asked(ada: Visitor) -> None:
    assert len(cases(ada.get("/audit"))) == 4
    (first,) = cases(ada.post("/audit", prediction_id="p0"))
    assert cases(ada.post("/audit", prediction_id="p0", model="loans", version="1.0")) == [first]
    assert cases(ada.post("/audit", prediction_id="P0")) == []
    assert len(cases(ada.post("/audit", subject="one"))) == 2
    assert cases(ada.post("/audit", prediction_id="p0", subject="one")) == []
    assert len(cases(ada.post("/audit", model="loans"))) == 4
    assert cases(ada.post("/audit", version="2.0")) == []
    assert cases(ada.post("/audit", reviewer="rosa")) == [first]
    assert cases(ada.post("/audit", decision="refuse")) == [first]
    for kind in ("decision", "access", "label"):
        assert cases(ada.post("/audit", kind=kind, reviewer="rosa")) == [first], kind
        assert cases(ada.post("/audit", kind=kind, prediction_id="p0")) == [first], kind
    assert cases(ada.post("/audit", kind="decision", decision="refuse", until="2026-11-21T08:00")) == []
    assert len(cases(ada.post("/audit", kind="label", since="2026-11-21T08:00"))) == 2
    assert cases(ada.post("/audit", kind="retraction")) == []


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"subject": "nobody"}, "Nothing is kept about this subject"),
        ({"reviewer": "nobody"}, "Nobody has the login nobody"),
        ({"kind": "rumour"}, "There is no kind rumour"),
        ({"since": "yesterday"}, "is no time"),
        ({"since": "2026-11-21T10:00", "until": "2026-11-21T09:00"}, "ends before it begins"),
    ],
)
def test_a_search_that_cannot_be_says_why(ada: Visitor, asked: dict[str, str], fault: str) -> None:
    ada.get("/audit")
    assert fault in words(ada.post("/audit", **asked))


def test_a_search_goes_on_where_it_ended_and_never_looks_without_end(
    audited: SealedBank, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited.bank.capture([event(f"more-{number}") for number in range(120)])
    monkeypatch.setattr("reviewsvc.usecases.searches._WINDOWS", (30,))
    found: list[str] = []
    for kind in ("prediction", "label"):
        answer = ada.post("/audit", kind=kind)
        for _ in range(200):
            after = re.search(r'name="after" value="([\d.]+)"', answer.text)
            if not after:
                break
            found += cases(answer)
            answer = ada.post("/audit", kind=kind, after=after[1])
        found += cases(answer)
    assert len(found) == 126
    assert len(set(found)) == 124
    assert ada.post("/audit", after="1.x.3").status_code == 400


def test_a_case_is_told_from_its_capture_to_its_label_without_opening_it(
    audited: SealedBank, ada: Visitor
) -> None:
    opened = audited.bank.kinds("activity").count("access")
    (path,) = cases(ada.post("/audit", prediction_id="p0"))
    told = words(ada.get(path))
    steps = [
        "came into force",
        "Captured: loans said Approve",
        "Sent to people, in the queue unsure",
        "unsure: Unsure",
        "Payload opened to decide it",
        "Answered: refuse, otherwise than the model",
        "Label: refuse",
    ]
    places = [told.index(each) for each in steps]
    assert places == sorted(places)
    assert "subject of p0" not in told
    assert "as the file says" not in told
    assert audited.bank.kinds("activity").count("access") == opened
    (auto,) = cases(ada.post("/audit", prediction_id="sure"))
    assert "no person was asked" in words(ada.get(auto))
    assert ada.get("/audit/cases/1/0").status_code == 404


def test_a_story_goes_on_to_who_was_sent_its_label(ada: Visitor, site: Site, owner_url: str) -> None:
    (path,) = cases(ada.post("/audit", prediction_id="p0"))
    dora = site.visitor("dora", Grant("data"))
    assert dora.get("/labels/loans.jsonl").status_code == 200
    with psycopg.connect(owner_url, autocommit=True) as owner:
        query = (
            "INSERT INTO relay_place SELECT log_id, 'labels.v1', 9, 'an-id', '{}', now() FROM log "
            "WHERE kind = 'labels'"
        )
        owner.execute(query)
    told = words(ada.get(path))
    assert "Labels pulled, up to number 2" in told
    assert "Dora" in told
    assert "By then the relay had sent label 1 on" in told
    assert "Topic labels.v1" in told


def test_payloads_open_for_who_may_and_leave_their_reason(
    audited: SealedBank, ada: Visitor, site: Site
) -> None:
    (path,) = cases(ada.post("/audit", prediction_id="p0"))
    assert ada.post(f"{path}/open", why="curiosity").status_code == 422
    before = audited.bank.kinds("activity").count("access")
    told = words(ada.post(f"{path}/open", why="complaint"))
    for expected in ("subject of p0", "4,200.5", "as the file says", "Payload opened because of a complaint"):
        assert expected in told, expected
    assert audited.bank.kinds("activity").count("access") == before + 1
    asked = ada.post("/audit/exports/ask", kind="case", model="loans", prediction_id="p0").text
    assert 'value="p0"' in asked
    (auto,) = cases(ada.post("/audit", prediction_id="sure"))
    assert "subject of sure" in words(ada.post(f"{auto}/open", why="audit"))
    assert "Payload opened for an audit" in words(ada.get(auto))
    nobody = site.visitor("nobody", Grant("reviewer"))
    for asked in ("/audit", path, "/audit/receipts/1/0", "/audit/receipts/1/0/proof"):
        assert nobody.get(asked).status_code == 403
    assert nobody.post(f"{path}/open", why="audit").status_code == 403


def test_a_receipt_is_read_downloaded_and_holds_anywhere(
    audited: SealedBank, ada: Visitor, tmp_path: Path
) -> None:
    (path,) = cases(ada.post("/audit", prediction_id="p0"))
    receipt = path.replace("cases", "receipts")
    told = words(ada.get(receipt))
    assert "VERIFIED" in told
    assert "What it does not prove" in told
    file = ada.get(f"{receipt}/receipt")
    assert file.headers["Content-Disposition"].endswith(".receipt")
    (tmp_path / "p0.receipt").write_bytes(file.data)
    assert "This page is for reading" in ada.get(f"{receipt}/page").text
    keys = verifier_keys(audited, tmp_path)
    assert alone(tmp_path, "--keys", str(keys), str(tmp_path / "p0.receipt"))[0] == 0
    audited.bank.capture([event("new")])
    (fresh,) = cases(ada.post("/audit", prediction_id="new"))
    fresh = fresh.replace("cases", "receipts")
    assert "Not sealed yet" in words(ada.get(fresh))
    assert "The root log itself" in words(ada.get("/audit/receipts/1/0"))
    assert ada.get(f"{fresh}/proof").status_code == 409


def test_anybody_verifies_a_pasted_receipt_and_is_told_what_is_wrong(ada: Visitor, site: Site) -> None:
    (path,) = cases(ada.post("/audit", prediction_id="p0"))
    receipt = path.replace("cases", "receipts")
    whole, proof, entry = (ada.get(f"{receipt}/{form}").text for form in ("receipt", "proof", "entry"))
    outsider = site.visitor()
    assert "You need no account" in words(outsider.get("/verify"))

    def verdict(receipt: str, entry: str = "") -> str:
        return words(outsider.post("/verify", receipt=receipt, entry=entry))

    assert "VERIFIED This receipt holds" in verdict(whole)
    assert "VERIFIED" in verdict(whole.replace("\n", "\r\n").rstrip())
    assert "a .receipt shows that" in verdict(proof, entry)
    assert "INCOMPLETE" in verdict(proof)
    assert "TAMPERED" in verdict(whole.replace('"label":"approve"', '"label":"refuse"'))
    assert "TAMPERED" in verdict(proof, entry.replace("approve", "refuse"))
    assert "it is of no log of audit.example.org" in verdict(
        whole.replace("audit.example.org", "other.example")
    )
    for garbage in (
        "",
        "hello",
        "{",
        "c2sp.org/tlog-proof@v1\nindex x\n",
        "\u2014" * 50,
        whole[: len(whole) // 3],
    ):
        answer = outsider.post("/verify", receipt=garbage)
        assert answer.status_code in {200, 422}
        assert any(
            each in words(answer) for each in ("This is no receipt", "TAMPERED", "INCOMPLETE", "Paste a")
        )
        assert "VERIFIED" not in words(answer)
    assert outsider.post("/verify", receipt="x" * 500_000).status_code in {400, 413}
    assert "VERIFIED" in words(outsider.post("/verify", file=(BytesIO(whole.encode()), "p0.receipt")))
    for crowded in (whole * 2, whole.replace("\n\N{EM DASH}", "\n\N{EM DASH} x y\n\N{EM DASH}" * 70)):
        assert "Paste one receipt at a time" in verdict(crowded)


def test_an_address_that_verifies_without_end_has_to_wait_but_nobody_who_is_signed_in(
    ada: Visitor, site: Site
) -> None:
    outsider = site.visitor()
    outsider.get("/verify")
    answers = [outsider.post("/verify", receipt="hello").status_code for _ in range(62)]
    assert answers == [*[422] * 60, 429, 429]
    assert "Too many receipts" in words(outsider.post("/verify", receipt="hello"))
    told = outsider.client.post("/api/v1/receipts/verify", json={"receipt": "hello"})
    assert (told.status_code, json.loads(told.data)["code"]) == (429, "too_many_receipts")
    ada.get("/verify")
    assert ada.post("/verify", receipt="hello").status_code == 422
    elsewhere = {"environ_base": {"REMOTE_ADDR": "2001:db8::1"}}
    assert (
        outsider.client.post("/api/v1/receipts/verify", json={"receipt": "x"}, **elsewhere).status_code == 422
    )
