"""Every hole in a captured partition's offsets is explained."""

import pytest

from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Src
from reviewsvc.domain.offsets import Offsets
from reviewsvc.domain.verdict import Findings

pytestmark = pytest.mark.unit

LOG = "predictions/scores.v1/2/0"
OPENED = f.Opened("first seen", "id-1", 40)
PREDICTION = f.Prediction("00", "00", "loans", 1, 1, None, 5)


def src(offset: int, skipped: int = 0, **changes: object) -> Src:
    known = {"topic": "scores.v1", "topic_id": "id-1", "partition": 2, "at": 0, **changes}
    return Src(offset=offset, skipped=skipped, **known)  # type: ignore[arg-type]  # as each test changes it


def found(*entries: tuple[Src | None, f.Facts | None], head: tuple[int | None, str | None]) -> list[str]:
    findings = Findings(LOG)
    offsets = Offsets(LOG, findings)
    offsets.follow(0, None, OPENED)
    for seq, (source, said) in enumerate(entries, 1):
        offsets.follow(seq, source, said)
    offsets.end(*head)
    return [finding.what for finding in findings.found]


def test_offsets_that_follow_or_are_counted_as_skipped_are_sound() -> None:
    entries = [
        (src(40), PREDICTION),
        (src(43, 2), PREDICTION),
        (src(44), f.Quarantine("undecodable", 9, "", 5)),
        (src(49), PREDICTION),
    ]
    assert found(*entries, head=(50, "id-1")) == []
    assert found(*entries, head=(57, "id-1")) == []


@pytest.mark.parametrize(("offset", "skipped"), [(42, 0), (41, 1), (40, 0), (43, 1)])
def test_a_hole_or_an_overlap_is_found(offset: int, skipped: int) -> None:
    entries = [(src(40), PREDICTION), (src(offset, skipped), PREDICTION)]
    told = f"its offset is {offset}, {skipped} passed over, but 41 comes next"
    assert found(*entries, head=(99, "id-1")) == [told]


def test_a_gap_explains_a_hole_and_another_topic_id() -> None:
    gap = f.Gap("recreated", 41, 7, "id-2", "cli:olga")
    entries = [(src(40), PREDICTION), (None, gap), (src(7, topic_id="id-2"), PREDICTION)]
    assert found(*entries, head=(8, "id-2")) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (src(40, topic_id="id-2"), "it comes from a topic of another id than the entries before"),
        (src(40, partition=1), "it does not come from the partition of its log"),
        (src(40, topic="other"), "it does not come from the partition of its log"),
        (None, "it does not come from the partition of its log"),
    ],
)
def test_what_comes_from_elsewhere_is_found(source: Src | None, told: str) -> None:
    assert found((source, PREDICTION), head=(41, "id-1")) == [told]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ((40, "id-1"), "the head goes on at offset 40, before 41"),
        ((None, "id-1"), "the head goes on at offset None, before 41"),
        ((41, "id-2"), "the head carries topic id id-2, the entries id-1"),
    ],
)
def test_the_head_must_go_on_behind_the_last_entry(head: tuple[int | None, str | None], told: str) -> None:
    assert found((src(40), PREDICTION), head=head) == [told]


def test_an_entry_of_an_unknown_kind_is_followed_by_its_place() -> None:
    assert found((src(40), None), (None, None), (src(41), PREDICTION), head=(42, "id-1")) == []
