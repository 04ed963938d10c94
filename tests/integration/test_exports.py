"""Exports that are asked for on screen: made by the worker, resumed after a crash, taken by their asker "
"alone."""

import errno
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc import verify
from reviewsvc.crypto import owned_files
from reviewsvc.db import tables as t
from reviewsvc.db import troubles
from reviewsvc.domain import facts as f
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.permissions import Grant
from reviewsvc.usecases import bundles, people, subject_export
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.bundle_parts import Part, PartMaker
from reviewsvc.usecases.export_making import Exporter
from tests.fixtures.bundled import verifier_keys
from tests.fixtures.cases import event
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Site, Visitor
from tests.integration.test_audit_pages import words

pytestmark = pytest.mark.real


@pytest.fixture
def exporter(signed: SealedBank, site: Site) -> Exporter:
    """The worker's side, on the folder that the site reads."""
    bank = signed.bank
    bank.capture([event(f"p{number}") for number in range(40)])
    signed.seal()
    return Exporter(signed.sessions, bank.house.keyring, site.held.exports)


@pytest.fixture
def ada(exporter: Exporter, site: Site) -> Visitor:  # noqa: ARG001 - there must be something to export
    return site.visitor("ada", Grant("auditor"))


def ask(visitor: Visitor, **terms: Any) -> str:
    """Ask for a bundle and return its id."""
    answer = visitor.post("/audit/exports", **{"kind": "range", "purpose": "the yearly audit", **terms})
    assert answer.status_code == 303, words(answer)
    held = visitor.client.application.extensions["reviewsvc"]
    with held.sessions.begin() as session:
        found = session.connection().exec_driver_sql(
            "SELECT job_id FROM export_job ORDER BY asked_at DESC, job_id DESC"
        )
        return str(found.first()[0])


def state(visitor: Visitor) -> str:
    return words(visitor.get("/audit/exports/rows"))


def finish(held: SealedBank, exporter: Exporter, tries: int = 20) -> None:
    for _ in range(tries):
        exporter.step(AT)
        held.seal()


def exported(held: SealedBank) -> list[dict[str, Any]]:
    """The facts of all exports."""
    query = (
        "SELECT e.body FROM activity a JOIN entry e USING (log_id, seq) WHERE a.kind = 'export' ORDER BY "
        "a.seq"
    )
    with held.sessions.begin() as session:
        bodies = session.connection().exec_driver_sql(query)
        return [json.loads(bytes(row[0]))["facts"] for row in bodies]


def test_a_bundle_is_asked_for_made_taken_and_holds(
    signed: SealedBank, exporter: Exporter, ada: Visitor, site: Site, tmp_path: Path
) -> None:
    assert "No bundle yet" in words(ada.get("/audit/exports"))
    job = ask(ada)
    assert "waiting" in state(ada)
    assert ada.get(f"/audit/exports/{job}/bundle").status_code == 404
    exporter.step(AT)
    assert "waits for its own entry to be sealed" in state(ada)
    finish(signed, exporter, 2)
    listed = state(ada)
    for expected in ("done", "all logs", "the yearly audit", "Take it"):
        assert expected in listed, expected
    other = site.visitor("otto", Grant("auditor"))
    assert "only Ada may take it" in state(other)
    assert "the yearly audit" not in state(other)
    assert other.get(f"/audit/exports/{job}/bundle").status_code == 403
    assert not (exporter.folder / f"{job}.zip").stat().st_mode & 0o007
    answer = ada.get(f"/audit/exports/{job}/bundle")
    path = tmp_path / "bundle.zip"
    path.write_bytes(answer.data)
    keys = [verify.parse_key(line) for line in verifier_keys(signed, tmp_path).read_text().splitlines()]
    report = verify.verify(path, keys)
    assert (report["verdict"], report["findings"]) == ("VERIFIED", [])
    with ZipFile(path) as packed:
        manifest = json.loads(packed.read("manifest.json"))
    assert manifest["purpose"] == "the yearly audit"
    assert manifest["payloads"]["disclosed"] >= 40
    assert [facts["what"] for facts in exported(signed)] == ["bundle", "download"]
    assert "taken 1" in state(ada)
    assert "Took a bundle" in words(ada.get("/audit/access"))


def test_what_a_crash_ended_goes_on_and_is_one_export(
    signed: SealedBank, exporter: Exporter, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(ada, kind="model", model="loans")
    real = bundles.Maker._log

    def crash(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(bundles.Maker, "_log", crash)
    with pytest.raises(MemoryError):
        exporter.step(AT)
    assert (exporter.folder / f"{job}.partial" / "plan.json").exists()
    monkeypatch.setattr(bundles.Maker, "_log", real)
    again = Exporter(exporter.sessions, exporter.keyring, exporter.folder, turn_s=0)
    finish(signed, again)
    assert "done" in state(ada)
    assert not (exporter.folder / f"{job}.partial").exists()
    assert [facts["what"] for facts in exported(signed)] == ["bundle"]


def test_a_full_disk_delays_a_bundle_and_fails_none(
    signed: SealedBank, exporter: Exporter, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(ada)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(owned_files, "replace", full)
        for _ in range(7):
            with pytest.raises(OSError, match="No space"):
                exporter.step(AT)
    finish(signed, exporter)
    assert len([said for said in exported(signed) if said["what"] == "bundle"]) == 1
    assert list(exporter.folder.glob("*.zip"))


def test_what_cannot_be_made_says_why_and_holds_up_nothing(
    signed: SealedBank, exporter: Exporter, ada: Visitor, site: Site
) -> None:
    ask(ada, kind="queue", queue="nowhere")
    ask(ada, kind="case", model="loans", prediction_id="p1")
    late = site.visitor("late", Grant("auditor"))
    ask(late)
    person = people.get_by_login(signed.bank.house.sessions, "late").person.person_id
    house = signed.bank.house
    people.revoke(house.sessions, house.keyring, person, Grant("auditor"), actor=SYSTEM, at=AT)
    finish(signed, exporter, 6)
    listed = state(ada)
    assert "no sealed entry is about what is asked" in listed
    assert "case p1 of loans" in listed
    assert "Take it" in listed
    assert "may not export entries any more" in listed


def test_a_bundle_is_cancelled_even_while_it_is_made_and_leaves_an_entry_and_no_file(
    signed: SealedBank, exporter: Exporter, ada: Visitor, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []
    for seconds in range(3):
        site.clock.at = AT + timedelta(seconds=seconds)
        jobs.append(ask(ada))
    waiting, making, done = jobs
    ada.post(f"/audit/exports/{waiting}/cancel")
    other, bring = site.visitor("otto", Grant("auditor")), PartMaker.bring

    def cancelled_meanwhile(*given: Any) -> Part:
        other.post(f"/audit/exports/{making}/cancel")
        return bring(*given)

    monkeypatch.setattr(PartMaker, "bring", cancelled_meanwhile)
    exporter.step(AT)
    monkeypatch.setattr(PartMaker, "bring", bring)
    assert state(ada).count("cancelled") == 2
    assert list(exporter.folder.iterdir()) == []
    Exporter(exporter.sessions, exporter.keyring, exporter.folder, turn_s=0).step(AT)
    assert [path.name for path in exporter.folder.iterdir()] == [f"{done}.partial"]
    ada.post(f"/audit/exports/{done}/cancel")
    exporter.step(AT)
    assert list(exporter.folder.iterdir()) == []
    ada.post(f"/audit/exports/{done}/cancel")
    assert "ended already: it is cancelled" in words(ada.get("/audit/exports"))
    assert [facts["what"] for facts in exported(signed)] == ["cancelled"] * 3
    assert words(ada.get("/audit/access")).count("Cancelled a bundle: ") == 3


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        ({"purpose": " "}, "Say what the bundle is for"),
        ({"kind": "case", "model": "loans"}, "needs the prediction id"),
        ({"kind": "rumour"}, "is about one of"),
        ({"kind": "subject", "subject": "nobody"}, "Nothing is kept about this subject"),
        ({"kind": "reviewer", "reviewer": "nobody"}, "Nobody has the login nobody"),
        ({"since": "2026-11-22T10:00", "until": "2026-11-21T10:00"}, "ends before it begins"),
        ({"since": "soon"}, "is no time"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_with_words(
    ada: Visitor, terms: dict[str, str], fault: str
) -> None:
    answer = ada.post("/audit/exports", **{"kind": "range", "purpose": "an audit", **terms})
    assert answer.status_code == 422
    assert fault in words(answer)


def test_bundles_end_with_their_time_and_with_an_erasure(
    signed: SealedBank, exporter: Exporter, ada: Visitor, site: Site, owner_url: str
) -> None:
    erased = ask(ada, kind="case", model="loans", prediction_id="p2")
    finish(signed, exporter, 3)
    assert (exporter.folder / f"{erased}.zip").exists()
    with psycopg.connect(owner_url, autocommit=True) as owner:
        at = microseconds(AT + timedelta(seconds=1))
        query = (
            "INSERT INTO activity (log_id, seq, at, kind, actor) VALUES (1, 999999, %s, 'erasure', 'service')"
        )
        owner.execute(query, (at,))
    exporter.step(AT + timedelta(seconds=2))
    assert not (exporter.folder / f"{erased}.zip").exists()
    assert [bytes(row.asked) for row in signed.bank.rows(sa.select(t.export_job.c.asked))] == [b""]
    site.clock.at = AT + timedelta(seconds=3)
    job = ask(ada, kind="case", model="loans", prediction_id="p1")
    finish(signed, exporter, 3)
    assert (exporter.folder / f"{job}.zip").exists()
    exporter.step(AT + timedelta(days=8))
    assert "expired" in state(ada)
    assert not (exporter.folder / f"{job}.zip").exists()
    assert ada.get(f"/audit/exports/{job}/bundle").status_code == 404


def test_the_access_report_says_who_opened_whose_payload(
    signed: SealedBank, exporter: Exporter, ada: Visitor, site: Site
) -> None:
    assert exporter
    rosa = signed.bank.person("rosa")
    signed.bank.claim(rosa, 2)
    told = words(ada.get("/audit/access"))
    assert told.count("To decide it") == 2
    subject_export.export(signed.bank.desk, "subject of p0", "she asked", actor=SYSTEM, at=AT)
    given = words(ada.get("/audit/access?who=cli:root"))
    assert "Gave out all that is held of a subject: 1 predictions" in given
    assert "Nobody like this" in words(ada.get("/audit/access?who=otto"))
    assert words(ada.get("/audit/access?who=ros")).count("To decide it") == 2
    assert "Nobody like this" in words(ada.get("/audit/access?until=2026-11-21T08:00"))
    assert "is no time" in words(ada.get("/audit/access?since=soon"))
    file = ada.get("/audit/access.csv?who=rosa")
    lines = file.text.splitlines()
    assert lines[0].startswith("at,who,actor,kind,why,model,subject")
    assert len(lines) == 3
    assert re.search(r",Rosa,person:[0-9a-f-]+,access,to decide it,loans,[0-9a-f]{32},", lines[1])
    assert exported(signed)[-1]["what"] == "access_report"
    lead = site.visitor("lea", Grant("lead"))
    assert lead.get("/audit/access.csv").status_code == 403


def test_the_health_of_every_log_is_on_one_page(signed: SealedBank, ada: Visitor, owner_url: str) -> None:
    told = words(ada.get("/audit/logs"))
    logs = signed.logs()
    for log in logs:
        assert log in told
    assert "No anchor is configured" in told
    page = ada.get("/audit/logs").text
    assert page.count('role="img" aria-label="Grew to') == len(logs)
    root = logs["root/0"]
    with psycopg.connect(owner_url, autocommit=True) as owner:
        query = (
            "INSERT INTO anchoring (name, kind, place, every_s, log_id, size, kept_at, outcome) "
            "VALUES ('partner', 'witness', 'https://witness.example', 60, %s, %s, %s, 'kept')"
        )
        owner.execute(query, (root.log_id, root.size, microseconds(AT)))
    told = words(ada.get("/audit/logs"))
    assert "partner https://witness.example witness" in told
    assert "has the newest" in told
    rows = ada.get("/audit/logs").text.split("<tr>")
    anchored = {name: next(row for row in rows if f">{name}<" in row) for name in logs}
    assert all("nothing" not in row for row in anchored.values())
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE anchoring SET size = 1, outcome = 'unreachable', why = 'nobody answers'")
    told = words(ada.get("/audit/logs"))
    assert "unanchored since" in told
    assert "nobody answers" in told
    assert "in trouble" not in told
    with signed.sessions.begin() as session:
        troubles.note(session, "seal", "the signer does not answer", AT)
    assert "The worker is in trouble" in (told := words(ada.get("/audit/logs")))
    assert "the signer does not answer" in told


def test_how_the_last_verifications_ended_stands_beside_the_logs(signed: SealedBank, ada: Visitor) -> None:
    assert "has verified nothing yet" in words(ada.get("/audit/logs"))
    keyring = signed.bank.house.keyring
    for number, (what, findings) in enumerate((("all", 0), ("new", 0), ("new", 2))):
        place = ("activity/0/0", 3) if findings else (None, None)
        verdict = "TAMPERED" if findings else "VERIFIED"
        said = Said(
            "verification",
            f.Verification(what, verdict, 40 + number, findings, *place),
            about=f.VERIFICATIONS,
        )
        with signed.sessions.begin() as session:
            record(session, keyring, [said], actor=None, at=AT)
    told = words(ada.get("/audit/logs"))
    assert re.search(
        r"everything .* 40 VERIFIED what was new .* 42 TAMPERED activity/0/0, entry 3, and 1 more", told
    )
