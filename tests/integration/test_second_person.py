"""Where two people are needed: one asks, another agrees on any face, and nobody agrees to their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from reviewsvc import cli
from reviewsvc.db import tables as t
from reviewsvc.domain.permissions import Grant
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import erasure
from tests.fixtures.cases import event
from tests.fixtures.erasing import Eraser
from tests.fixtures.installed import AT, KEK_BYTES, ORIGIN
from tests.fixtures.service import Site, Visitor
from tests.integration.test_api_people import Program

pytestmark = pytest.mark.real

ALL = ("erase", "export", "hold", "release")
STEWARD = Grant("steward")


@pytest.fixture
def two(make_site: Callable[..., Site], eraser: Eraser) -> tuple[Visitor, Program]:
    """A steward on the pages, and another by program, where everything takes two people."""
    eraser.bank.capture([event("p-1"), event("p-2")])
    site = make_site(second_person=ALL)
    stella = site.visitor("stella", STEWARD)
    stella.get("/subjects")
    return stella, Program(site, "otto", STEWARD)


def test_a_hold_stands_and_ends_when_a_second_person_agrees(
    two: tuple[Visitor, Program], eraser: Eraser
) -> None:
    stella, otto = two
    stella.post("/subjects/holds", subject="subject of p-1", reason="court file 12")
    page = stella.get("/subjects").text
    assert "No legal holds" in page
    assert "a hold that waits protects nothing yet" in page
    (asked,) = otto.call("GET /subjects/approvals")[1]["items"]
    assert (asked["act"], asked["about"], asked["reason"]) == ("hold", "subject", "court file 12")
    own = stella.post(f"/subjects/approvals/{asked['approval_id']}/approve")
    assert "Another person" in stella.get(own.location).text
    assert otto.call(f"POST /subjects/approvals/{asked['approval_id']}/approve")[1]["status"] == "done"
    (held,) = otto.call("GET /subjects/holds")[1]["items"]
    assert (held["reason"], held["released_at"]) == ("court file 12", None)
    body = {"reason": "closed"}
    status, approval = otto.call(f"POST /subjects/holds/{held['hold_id']}/release", json=body)
    assert (status, approval["status"], approval["name"]) == (202, "waiting", held["name"])
    address = f"/subjects/approvals/{approval['approval_id']}"
    assert otto.call(f"POST {address}/approve")[1]["code"] == "second_person"
    page = stella.get("/subjects").text
    assert "Release the hold on" in page
    stella.post(f"{address}/approve")
    assert "released" in stella.get("/subjects").text
    assert otto.call(f"POST {address}/refuse")[1]["code"] == "approval_state"
    kinds = eraser.bank.rows(
        sa.select(t.activity.c.kind).where(t.activity.c.object == f"hold:{held['hold_id']}")
    )
    asked_twice = ["approval_granted"] * 2 + ["approval_requested"] * 2
    assert sorted(row.kind for row in kinds) == [*asked_twice, "hold_placed", "hold_released"]
    assert eraser.verified().verdict is Verdict.VERIFIED, eraser.verified()


def test_an_export_is_for_who_asked_once_somebody_else_agrees(
    two: tuple[Visitor, Program], eraser: Eraser
) -> None:
    stella, otto = two
    body = {"subject": "subject of p-1", "reason": "letter 17"}
    status, asked = otto.call("POST /subjects/exports", json=body)
    assert (status, asked["act"], asked["status"]) == (202, "export", "waiting")
    path = f"/subjects/approvals/{asked['approval_id']}"
    assert otto.call(f"POST {path}/export")[1]["code"] == "approval_state"
    assert "Export subject" in stella.get("/subjects").text
    stella.post(f"{path}/approve")
    refused = stella.post(f"{path}/export")
    assert "Only who asked" in stella.get(refused.location).text
    status, taken = otto.call(f"POST {path}/export")
    assert (status, len(taken["predictions"])) == (200, 1)
    assert otto.call(f"GET {path}")[1]["status"] == "done"
    mine = stella.post("/subjects/exports", subject="subject of p-2", reason="letter 18")
    assert "waits for a second person" in stella.get(mine.location).text
    (approval,) = otto.call("GET /subjects/approvals")[1]["items"]
    otto.call(f"POST /subjects/approvals/{approval['approval_id']}/approve")
    assert "Exports that you may take" in stella.get("/subjects").text
    assert stella.post(f"/subjects/approvals/{approval['approval_id']}/export").mimetype == "application/zip"
    eraser.erase("p-2")
    gone = stella.post(f"/subjects/approvals/{approval['approval_id']}/export")
    assert "has been erased" in stella.get(gone.location).text
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_what_is_refused_or_taken_back_is_not_done(two: tuple[Visitor, Program], eraser: Eraser) -> None:
    stella, otto = two
    stella.post("/subjects/erasures", subject="subject of p-1", reason="letter 17")
    (approval,) = otto.call("GET /subjects/approvals")[1]["items"]
    assert approval["act"] == "erase"
    assert otto.call(f"POST /subjects/approvals/{approval['approval_id']}/refuse")[1]["status"] == "refused"
    assert erasure.step(eraser.desk, eraser.journal, at=AT) == 0
    stella.post("/subjects/holds", model="loans", reason="inspection")
    (approval,) = otto.call("GET /subjects/approvals")[1]["items"]
    stella.post(f"/subjects/approvals/{approval['approval_id']}/refuse")
    assert otto.call("GET /subjects/approvals")[1]["items"] == []
    assert otto.call("GET /subjects/holds")[1]["items"] == []


def test_a_command_asks_and_another_persons_agrees(
    eraser: Eraser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    eraser.bank.capture([event("p-1")])
    monkeypatch.setenv("DATABASE_URL", eraser.bank.database_url)
    monkeypatch.setenv("REVIEWSVC_KEKS", KEK_BYTES.hex())
    monkeypatch.setenv("REVIEWSVC_ORIGIN", ORIGIN)
    monkeypatch.setenv("REVIEWSVC_ERASURE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("REVIEWSVC_SECOND_PERSON", "export,hold,release")

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(["subjects", *words])
        told = capsys.readouterr()
        return f"{ended.value.code} {told.out}{told.err}"

    target = str(tmp_path / "p-1.zip")
    asked = run("export", "subject of p-1", "--reason", "letter", "--as", "stella", "-o", target)
    approval = asked.split()[1]
    assert "waiting" in asked
    assert approval in run("waiting")
    assert run("take", approval, "--as", "stella").startswith("1 ")
    assert "Another person" in run("approve", approval, "--as", "stella")
    assert "approved  export" in run("approve", approval, "--as", "otto")
    assert "1 predictions" in run("take", approval, "--as", "stella", "-o", target)
    assert Path(target).stat().st_size > 0
    approval = run("hold", "--model", "loans", "--reason", "inspection", "--as", "stella").split()[1]
    assert "no legal holds" in run("holds")
    assert "done  hold model loans" in run("approve", approval, "--as", "otto")
    hold = run("holds").split()[1]
    approval = run("release", hold, "--reason", "closed", "--as", "stella").split()[1]
    assert "refused" in run("refuse", approval, "--as", "otto")
    assert "Nothing waits" in run("waiting")
