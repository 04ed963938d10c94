"""What nobody touched, by what the verifier is told from outside."""

from pathlib import Path

import pytest

from reviewsvc.db.hot import scan
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases.outside_view import load_marks, next_marks, save_marks
from reviewsvc.usecases.verification import Scope
from tests.integration.history import PREDICTIONS
from tests.tamper.forgeries import rewrite_with_stolen_keys
from tests.tamper.installation import Installation, judged

pytestmark = pytest.mark.real


def test_what_was_not_touched_is_verified_with_keys_from_outside(sealed: Installation) -> None:
    with sealed.cheated() as forger:
        for chain_only in (False, True):
            report = judged(forger, sealed.outside(memory=True), chain_only=chain_only)
            assert (report.findings, report.verdict) == ([], Verdict.VERIFIED)
            assert [each.partition(" ")[0] for each in report.remarks] == ["UNANCHORED-SINCE"]


def test_without_keys_from_outside_it_is_self_consistent(sealed: Installation) -> None:
    with sealed.cheated() as forger:
        report = judged(forger, sealed.outside(keys=False))
        assert (report.findings, report.verdict) == ([], Verdict.SELF_CONSISTENT)
        assert "the keys come from the database itself" in " ".join(report.not_proved)


def test_a_part_is_verified_from_the_checkpoint_before_it(sealed: Installation, tmp_path: Path) -> None:
    with sealed.cheated() as forger:
        whole = judged(forger, sealed.outside())
        marks = next_marks(scan.installed(forger.conn), "yesterday", whole, None)
        save_marks(tmp_path / "verified.json", marks)
        told = sealed.outside()._replace(marks=load_marks(tmp_path / "verified.json"))
        again = judged(forger, told, scope=Scope(since_last=True))
        assert (again.findings, again.entries, again.verdict) == ([], 0, Verdict.VERIFIED)
        part = judged(forger, told, scope=Scope(only=PREDICTIONS, seqs=range(320, 330)))
        assert (part.findings, part.entries, part.logs[0].first) == ([], 40, 314)
        forger.run("UPDATE checkpoint SET root = sha256(root) WHERE size = 355")
        changed = judged(forger, told, scope=Scope(since_last=True))
        assert changed.verdict == Verdict.TAMPERED


def test_what_was_verified_before_and_rewritten_since_is_told(sealed: Installation) -> None:
    with sealed.cheated() as forger:
        marks = next_marks(scan.installed(forger.conn), "yesterday", judged(forger, sealed.outside()), None)
        rewrite_with_stolen_keys(forger)
        report = judged(forger, sealed.outside()._replace(marks=marks))
        assert report.verdict == Verdict.TAMPERED
        assert "the verification of yesterday found" in report.findings[0].what
