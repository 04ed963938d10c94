"""What nobody touched, by what the verifier is told from outside."""

import pytest

from reviewsvc.domain.verdict import Verdict
from tests.tamper.installation import Installation, judged

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("tamper")]


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
