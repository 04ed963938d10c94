"""Each way to cheat is told as the table says, by whoever can tell it."""

import pytest

from reviewsvc.domain.verdict import Report, Verdict
from tests.contract.source import ROOT
from tests.tamper.cheats import CHEATS, Cheat
from tests.tamper.installation import Installation, judged

pytestmark = pytest.mark.real


def after(sealed: Installation, cheat: Cheat, *, keys: bool, memory: bool) -> Report:
    with sealed.cheated() as held:
        for act in cheat.acts:
            if isinstance(act, str):
                held.run(act)
            else:
                act(held)
        return judged(held, sealed.outside(keys=keys, memory=memory))


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_is_told_by_whoever_can_tell_it(sealed: Installation, name: str) -> None:
    cheat = CHEATS[name]
    verdicts = {False: cheat.inside, True: cheat.keys}
    for keys in (False, True) if cheat.inside != cheat.keys else (True,):
        report = after(sealed, cheat, keys=keys, memory=False)
        assert report.verdict == verdicts[keys], report.findings
    if cheat.memory != cheat.keys:
        report = after(sealed, cheat, keys=True, memory=True)
        assert report.verdict == cheat.memory, report.findings
    told = "; ".join(finding.what for finding in report.findings)
    assert cheat.told in told
    assert cheat.told or not told


def test_there_are_ways_enough() -> None:
    assert len(CHEATS) >= 60
    assert {each.keys for each in CHEATS.values()} == set(Verdict) - {Verdict.SELF_CONSISTENT}


def test_the_threat_model_has_each_of_them_with_its_verdicts() -> None:
    page = (ROOT / "docs/threat-model.md").read_text()
    told = [
        (each.name, *(verdict[0] for verdict in (each.inside, each.keys, each.memory)))
        for each in CHEATS.values()
    ]
    assert [line for line in (f"| {' | '.join(row)} |" for row in told) if line not in page] == []
