"""The story of a case goes on to what became of what is kept of it: holds, bundles, erasure, retention."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.bundle import Question
from reviewsvc.usecases import case_stories, holds, retention, subject_export
from reviewsvc.usecases.case_stories import Story
from reviewsvc.usecases.holds import HoldOn
from tests.fixtures.bundled import bundle
from tests.fixtures.cases import CONTRACT, POLICY, Bank, event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real

MINUTE = timedelta(minutes=1)


def told(bank: Bank, seq: int) -> Story:
    """The story of the prediction at this place of the partition's log."""
    (log_id,) = bank.rows(sa.select(t.prediction.c.log_id).limit(1))[0]
    return case_stories.tell_case(bank.desk, log_id, seq)


def steps(story: Story, *what: str) -> list[str]:
    return [each.words for each in story.steps if each.what in what]


def hold(bank: Bank, on: HoldOn, **when: Any) -> holds.Hold:
    house = bank.house
    return holds.place(house.sessions, house.keyring, on, "case 4711", actor=STEWARD, **when)


def test_a_story_tells_of_holds_bundles_and_the_erasure_in_their_order(
    signed: SealedBank, eraser: Eraser, tmp_path: Path
) -> None:
    bank, house = signed.bank, signed.bank.house
    bank.apply({**POLICY, "rules": POLICY["rules"][:1]})
    bank.capture([event("p-1"), event("p-2")])
    signed.seal()
    bundle(signed, Question("case", model="loans", prediction_id="p-1"), tmp_path)
    placed = hold(bank, HoldOn("subject of p-1"), at=AT + MINUTE)
    hold(bank, HoldOn(model="loans"), at=AT + 2 * MINUTE)
    subject_export.export(eraser.desk, "subject of p-1", "letter 18", actor=STEWARD, at=AT + 3 * MINUTE)
    for each in holds.every(house.sessions, house.keyring):
        holds.release(
            house.sessions, house.keyring, each.hold_id, "closed", actor=STEWARD, at=AT + 4 * MINUTE
        )
    eraser.erase("p-1", at=AT + 5 * MINUTE)
    story = told(bank, 1)
    assert story.is_erased
    assert "Erasure of its subject asked for" in steps(story, "erasure")
    kept = [each for each in steps(story, "left", "hold", "erasure", "withdrawn") if "asked for" not in each]
    assert kept == [
        "Brought into a bundle about this case",
        "Legal hold placed on its subject: nothing of it is erased or dropped",
        "Legal hold placed on the model loans: nothing of it is erased or dropped",
        "All that is held of its subject was given out",
        "Legal hold released",
        "Legal hold released",
        "Its subject was erased: nobody can open its payloads any more",
        "Withdrawn: its subject was erased",
    ]
    assert str(placed.hold_id) in {text for each in story.steps for _, text in each.facts}
    assert {each.by for each in story.steps if each.what in {"hold", "left"}} == {"cli:stella", "cli:root"}
    signed.seal(AT + 6 * MINUTE)
    later = bundle(signed, Question("case", model="loans", prediction_id="p-1"), tmp_path / "later")
    lines = b"".join(path.read_bytes() for path in later.folder.glob("logs/activity/*/*/entries/*"))
    for kind in ("erasure", "erasure_requested", "hold_placed", "hold_released", "subject_export"):
        assert f'"kind":"{kind}"'.encode() in lines, kind
    other = told(bank, 2)
    assert steps(other, "left", "erasure") == []
    assert len(steps(other, "hold")) == 2


def test_a_story_tells_that_its_payloads_were_dropped(eraser: Eraser) -> None:
    bank = eraser.bank
    bank.apply({**CONTRACT, "retention": {"class": "brief", "keep_days": 30, "prediction_days": 400}})
    bank.capture([event("p-1")])
    assert told(bank, 1).is_kept
    retention.run(eraser.desk, actor=None, at=AT + timedelta(days=100))
    story = told(bank, 1)
    (dropped,) = (each for each in story.steps if each.what == "dropped")
    assert dropped.by == "the service"
    assert dropped.facts == (("Month", f"{AT:%Y-%m}, class brief"),)
    assert (story.is_kept, story.is_erased) == (False, False)
