"""Each way to cheat is told as the table says, by whoever can tell it."""

from pathlib import Path

import pytest

from reviewsvc.domain.verdict import Verdict
from tests.contract.source import ROOT
from tests.tamper.aftermath import Aftermath, Outsider
from tests.tamper.cheats import CHEATS, Cheat
from tests.tamper.forger import Forger
from tests.tamper.installation import Installation, judged

pytestmark = pytest.mark.real


PAGE = (ROOT / "docs/threat-model.md").read_text()


def do(held: Forger, cheat: Cheat) -> None:
    for act in cheat.acts:
        if isinstance(act, str):
            held.run(act)
        else:
            act(held)


def check(held: Forger, sealed: Installation, cheat: Cheat) -> None:
    """Hold what `audit verify` says of it, by what it is told from outside, against the table."""
    views = {(False, False): cheat.inside, (True, False): cheat.keys, (True, True): cheat.memory}
    for (keys, memory), verdict in views.items():
        if (keys, memory) == (True, False) or verdict != cheat.keys:
            report = judged(held, sealed.outside(keys=keys, memory=memory))
            assert report.verdict == verdict, report.findings
    told = "; ".join(finding.what for finding in report.findings)
    assert cheat.told in told
    assert cheat.told or not told


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_is_told_by_whoever_can_tell_it(
    sealed: Installation, outsider: Outsider, tmp_path: Path, name: str
) -> None:
    cheat = CHEATS[name]
    with sealed.cheated() as held:
        after = Aftermath(held, sealed, tmp_path, is_stolen=cheat.is_stolen)
        if cheat.is_anchored:
            after.go_on()
        do(held, cheat)
        check(held, sealed, cheat)
        if not cheat.is_anchored:
            after.go_on()
        told = outsider.judge(after, after.bundle())
    verdicts = [verdict[0] for verdict in (cheat.inside, cheat.keys, cheat.memory)]
    row = f"| {name} | {' | '.join([*verdicts, *told])} |"
    assert row in PAGE, row


def test_there_are_ways_enough() -> None:
    assert len(CHEATS) >= 60
    assert {each.keys for each in CHEATS.values()} == set(Verdict) - {Verdict.SELF_CONSISTENT}


def test_the_threat_model_has_no_other_ways() -> None:
    part = PAGE.partition("## Ways to cheat")[2].partition("\n## ")[0]
    names = [line.split(" | ")[0].removeprefix("| ") for line in part.splitlines() if line.count(" | ") == 6]
    assert names[1:] == list(CHEATS)
