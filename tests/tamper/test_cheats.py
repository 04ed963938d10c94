"""Each way to cheat is told as the table says, by whoever can tell it."""

from pathlib import Path

import pytest

from reviewsvc import verify
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases.publishing import PublishError, publish
from reviewsvc.usecases.receipts import Prover
from tests.contract.source import ROOT
from tests.integration.history import PREDICTIONS
from tests.tamper.aftermath import Aftermath, Outsider
from tests.tamper.cheats import CHEATS, Cheat
from tests.tamper.forger import Forger
from tests.tamper.forgeries import rewrite_with_stolen_keys
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


class Kept(dict[str, bytes]):
    """A folder that was published to."""

    name = "kept"

    def read(self, name: str) -> bytes | None:
        return self.get(name)

    def write(self, name: str, data: bytes) -> None:
        self[name] = data

    def sync(self) -> None:
        pass


def test_a_rewritten_log_contradicts_what_was_published_and_the_receipts_that_are_out(
    sealed: Installation, outsider: Outsider, tmp_path: Path
) -> None:
    kept, receipts = Kept(), []
    with sealed.cheated() as held:
        for number in range(2):
            receipts.append(tmp_path / f"{number}.txt")
            receipts[number].write_bytes(Prover().receipt(held.conn, PREDICTIONS, 120).text())
            if number:
                with pytest.raises(PublishError, match="a history that is not this database's"):
                    publish(held.conn, kept)
            else:
                publish(held.conn, kept)
                rewrite_with_stolen_keys(held)
    assert [verify.verify(each, outsider.keys)["verdict"] for each in receipts] == [verify.VERIFIED] * 2
    before, after = (each.read_text().split("\n") for each in receipts)
    size = next(place for place, line in enumerate(before) if line == "355")
    # The same log, the same size, another root, both signed: whoever has both has the proof.
    assert before[size - 1 : size + 1] == after[size - 1 : size + 1]
    assert before[size + 1] != after[size + 1]
