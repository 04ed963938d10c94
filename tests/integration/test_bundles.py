"""Bundles, from the question to an outsider's verdict."""

from pathlib import Path

import pytest

from reviewsvc.domain.bundle import Question
from tests.fixtures.bundled import alone, bundle
from tests.fixtures.cases import event
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
CAPTURED = "predictions/reviewsvc.predictions.v1/0/0"


def capture(held: SealedBank, count: int, name: str = "p") -> None:
    held.bank.capture([event(f"{name}-{number}") for number in range(count)])
    held.seal()


def test_all_of_a_log_verifies_far_from_where_it_was_made(signed: SealedBank, tmp_path: Path) -> None:
    capture(signed, 600)
    made = bundle(signed, Question("range", logs=[CAPTURED]), tmp_path)
    assert made.verify()["findings"] == []
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    assert alone(outside, "--keys", str(made.keys), str(made.zipped))[0] == 0
    assert alone(outside, "--keys", str(made.keys), str(made.folder))[0] == 0
    code, told = alone(outside, str(made.folder))
    assert (code, told.splitlines()[0]) == (2, "SELF-CONSISTENT")
