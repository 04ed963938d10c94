"""What somebody kept from before a cheat: a published folder, a receipt."""

from pathlib import Path

import pytest

from reviewsvc import verify
from reviewsvc.usecases.publishing import PublishError, publish
from reviewsvc.usecases.receipts import Prover
from tests.integration.history import PREDICTIONS
from tests.tamper.aftermath import Outsider
from tests.tamper.forgeries import rewrite_with_stolen_keys
from tests.tamper.installation import Installation

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("tamper")]


class Kept(dict[str, bytes]):
    """A folder that was published to."""

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
