"""Erasing, exporting and holding by page, by program and on the command line."""

import io
import json
import re
import secrets
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reviewsvc import cli
from reviewsvc.db import logins
from reviewsvc.domain.export_facts import About
from reviewsvc.domain.facts import Export
from reviewsvc.domain.permissions import Grant
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import erasure, erasures
from reviewsvc.usecases.activity import Said, record
from tests.fixtures.cases import TOPIC, event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT, KEK_BYTES, ORIGIN
from tests.fixtures.service import Site
from tests.integration.test_api_people import Program

pytestmark = pytest.mark.real

PLACE = re.compile(r'href="(/quarantine/\d+/\d+)"')


@pytest.fixture
def eraser(eraser: Eraser) -> Eraser:
    eraser.bank.capture([event("p-1"), event("p-2"), event("p-3")])
    return eraser


def test_a_steward_erases_on_the_page_and_ticks_off_who_was_told(site: Site, eraser: Eraser) -> None:
    stella = site.visitor("stella", Grant("steward"))
    assert "No erasures" in stella.get("/subjects").text
    refused = stella.post("/subjects/erasures", subject="nobody", reason="letter 17")
    assert refused.status_code == 422
    assert "Nothing is kept about this subject" in refused.text
    place = stella.post("/subjects/erasures", subject="subject of p-1", reason="letter 17").location
    assert "being carried out" in stella.get(place).text
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 1
    page = stella.get(place).text
    assert "Key destroyed" in page
    assert "letter 17" in page
    assert "backups are kept for 35 days" in page
    assert stella.post(f"{place}/left/1/told").status_code == 303
    assert "Stella" in stella.get(place).text
    assert "Told them" not in stella.get(place).text
    assert site.visitor("rosa", Grant("reviewer")).get("/subjects").status_code == 403


def test_a_steward_holds_and_exports_on_the_page(site: Site, eraser: Eraser) -> None:
    stella = site.visitor("stella", Grant("steward"))
    stella.get("/subjects")
    stella.post("/subjects/holds", model="loans", prediction_id="p-1", reason="court file 12")
    page = stella.get("/subjects").text
    assert "court file 12" in page
    told = stella.post("/subjects/erasures", subject="subject of p-1", reason="letter 17")
    assert "A legal hold stands" in told.text
    hold_id = page.partition("/subjects/holds/")[2].partition("/")[0]
    stella.post(f"/subjects/holds/{hold_id}/release", reason="closed")
    assert "released" in stella.get("/subjects").text
    answer = stella.post("/subjects/exports", subject="subject of p-1", reason="letter 18")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        exported = json.loads(archive.read("subject.json"))
        assert b"subject of p-1" in archive.read("subject.txt")
    assert [one["sent"]["value"]["prediction_id"] for one in exported["predictions"]] == ["p-1"]
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_a_program_erases_holds_and_exports(site: Site, eraser: Eraser) -> None:
    program = Program(site, "stella", Grant("steward"))
    body = {"subject": "subject of p-1", "reason": "letter 17"}
    status, held = program.call("POST /subjects/holds", json=body)
    assert (status, held["on"], held["released_at"]) == (201, "subject", None)
    assert program.call("POST /subjects/erasures", json=body)[1]["code"] == "held"
    path = f"POST /subjects/holds/{held['hold_id']}/release"
    assert program.call(path, json={"reason": "closed"})[1]["released_reason"] == "closed"
    assert program.call(path, json={"reason": "closed"})[1]["code"] == "hold_missing"
    assert program.call("GET /subjects/holds")[1]["items"][0]["released_by"] == f"token:{program.person_id}"
    assert len(program.call("POST /subjects/exports", json=body)[1]["predictions"]) == 1
    status, asked = program.call("POST /subjects/erasures", json=body, key="once")
    assert (status, asked["status"]) == (202, "approved")
    assert program.call("POST /subjects/erasures", json=body, key="once")[1] == asked
    assert program.call("POST /subjects/erasures", json=body)[1]["code"] == "approval_state"
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 1
    done = program.call(f"GET /subjects/erasures/{asked['erasure_id']}")[1]
    assert (done["status"], done["final_at"]) == ("done", "2026-12-26T09:00:30+00:00")
    assert [one["kind"] for one in done["left"]] == ["source", "subject_export"]
    assert program.call("GET /subjects/erasures?limit=1")[1]["items"][0] == done
    assert program.call("POST /subjects/exports", json=body)[1]["code"] == "subject_missing"
    assert program.call("POST /subjects/holds", json={"reason": "x"})[0] == 422
    assert Program(site, "rosa", Grant("reviewer")).call("GET /subjects/erasures")[0] == 403


def test_the_command_line_asks_a_second_person_where_one_is_needed(
    eraser: Eraser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", eraser.bank.database_url)
    monkeypatch.setenv("REVIEWSVC_KEKS", KEK_BYTES.hex())
    monkeypatch.setenv("REVIEWSVC_ORIGIN", ORIGIN)
    monkeypatch.setenv("REVIEWSVC_ERASURE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("REVIEWSVC_SECOND_PERSON", "erase")

    def run(*words: str) -> tuple[int, Any]:
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--json"])
        told = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(told.out) if told.out else told.err

    code, asked = run("subjects", "erase", "subject of p-1", "--reason", "letter", "--as", "stella")
    assert (code, asked["status"], asked["final_at"]) == (0, "waiting", None)
    code, told = run("subjects", "approve", asked["erasure_id"], "--as", "stella")
    assert code == 1
    assert "Another person" in told
    code, done = run("subjects", "approve", asked["erasure_id"], "--as", "otto")
    assert (code, done["status"], done["left"][0]["kind"]) == (0, "done", "source")
    assert run("subjects", "told", asked["erasure_id"], "1")[1]["left"][0]["told_at"]
    assert run("subjects", "list")[1]["items"][0]["erasure_id"] == asked["erasure_id"]
    code, held = run("subjects", "hold", "--model", "loans", "--reason", "file 12")
    assert (code, held["on"]) == (0, "model")
    assert all(
        one["is_held"] for one in run("retention", "show")[1]["items"] if one["retention_class"] == "standard"
    )
    assert run("retention", "run")[1] == {"items": []}
    assert run("subjects", "release", held["hold_id"], "--reason", "closed")[1]["released_at"]
    assert len(run("subjects", "holds")[1]["items"]) == 1
    assert run("keys", "keks")[1]["items"][0]["hash_keys"] == 4
    assert "before them" in run("keys", "rotate-kek")[1]
    assert run("keys", "sweep")[1]["bytes"] > 0
    house = eraser.bank.house
    assert erasures.get(house.sessions, house.keyring, done["erasure_id"]).status == "done"
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_a_log_in_that_may_not_destroy_keys_leaves_an_erasure_to_the_worker(
    eraser: Eraser, owner_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"web_{secrets.token_hex(4)}"
    monkeypatch.setenv("DATABASE_URL", logins.make(owner_url, name, "password", ["web"]))
    monkeypatch.setenv("REVIEWSVC_KEKS", KEK_BYTES.hex())
    monkeypatch.setenv("REVIEWSVC_ORIGIN", ORIGIN)
    with pytest.raises(SystemExit) as ended:
        cli.main(["subjects", "erase", "subject of p-1", "--reason", "letter", "--json"])
    told = capsys.readouterr()
    assert (ended.value.code, json.loads(told.out)["status"]) == (0, "approved")
    assert "The worker carries it out" in told.err
    assert erasure.step(eraser.desk, eraser.journal, at=datetime.now(UTC)) == 1
    assert eraser.verified().verdict is Verdict.VERIFIED
    with psycopg.connect(owner_url) as session:
        session.execute(f"DROP ROLE {name}")


def test_receivers_are_listed_by_the_tokens_and_bundles_that_they_had(site: Site, eraser: Eraser) -> None:
    bank = eraser.bank
    bank.decided(bank.person("anna"), "p-1")
    trainer, early = Program(site, "trainer", Grant("data")), Program(site, "early", Grant("data"))
    assert trainer.call("GET /labels?model=loans")[0] == 200
    assert trainer.call("GET /decisions?model=loans&prediction_id=p-2")[0] == 200
    assert early.call("GET /labels?model=loans&after=0.1")[1]["items"] == []
    with bank.house.sessions.begin() as session:
        about = [About("subject", subject=each.hex()) for each in keys_of(eraser, "p-1", "p-2")]
        said = [Said("export", Export("bundle", None, 9, 1, payloads=4, about=one)) for one in about]
        record(session, bank.house.keyring, said, actor=STEWARD, at=AT)
    done = eraser.erase("p-1")
    left = erasures.get(bank.house.sessions, bank.house.keyring, done.erasure_id).left
    assert [(one.kind, one.name, one.amount) for one in left] == [
        ("source", TOPIC, 2),
        ("labels", "Trainer, by token test", 1),
        ("answers", "Trainer, by token test", 1),
        ("bundle", "stella", 4),
    ]
    page = site.visitor("stella", Grant("steward")).get(f"/subjects/erasures/{done.erasure_id}").text
    assert "Trainer, by token test" in page


def keys_of(eraser: Eraser, *ids: str) -> list[bytes]:
    return [key for one in ids if (key := eraser.key_of(one))]


def test_an_event_that_could_not_be_read_is_erased_by_its_place(site: Site, eraser: Eraser) -> None:
    eraser.bank.capture([b"{no json", b"no json either"])
    program, stella = Program(site, "otto", Grant("steward")), site.visitor("stella", Grant("steward"))
    newest, oldest = program.call("GET /quarantine")[1]["items"]
    body = {"log": oldest["log"], "seq": oldest["seq"], "reason": "letter 19"}
    status, asked = program.call("POST /quarantine/erasures", json=body)
    assert (status, asked["status"], asked["event"]) == (202, "approved", f"{oldest['log']} {oldest['seq']}")
    page = stella.get("/quarantine").text
    place = next(path for path in PLACE.findall(page) if path.endswith(f"/{newest['seq']}"))
    assert "Erase this event" in stella.get(place).text
    assert stella.post(f"{place}/erase", reason=" ").status_code == 422
    answer = stella.post(f"{place}/erase", reason="letter 20")
    assert f"event {newest['log']} {newest['seq']}" in stella.get(answer.location).text
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 2
    assert "nobody can read them" in stella.get(place).text
    assert program.call("POST /quarantine/erasures", json=body)[1]["code"] == "subject_missing"
    done = program.call(f"GET /subjects/erasures/{asked['erasure_id']}")[1]
    assert [(one["kind"], one["receiver"]) for one in done["left"]] == [("source", TOPIC)]
    reader = Program(site, "ada", Grant("auditor"), Grant("operator"))
    path = f"GET /quarantine/raw?log={oldest['log']}&seq={oldest['seq']}"
    assert reader.call(path)[1]["code"] == "erased"
    assert len(eraser.journal.read()) == 2
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()
