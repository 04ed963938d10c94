import pytest

from reviewsvc.domain.contract_reference import Band, Quantile, band_of, read_bands, read_quantiles, unusual
from reviewsvc.domain.document import DocumentFault, Fields

pytestmark = pytest.mark.unit

QUANTILES = tuple(
    Quantile(percent, value) for percent, value in ((1, 10), (5, 20), (50, 50), (95, 80), (99, 90))
)
BANDS = (Band(0.5, 0.8, 0.7, 100), Band(0.8, 1.0, 0.95, 400))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9, "below 99 % of training"),
        (19, "below 95 % of training"),
        (20, ""),
        (80, ""),
        (81, "above 95 % of training"),
        (91, "above 99 % of training"),
    ],
)
def test_only_the_tails_of_the_training_values_are_unusual(value: float, said: str) -> None:
    assert unusual(QUANTILES, value) == said
    assert unusual((), value) == ""


def test_a_confidence_falls_in_one_band_and_the_last_holds_its_upper_end() -> None:
    assert [band_of(BANDS, confidence) for confidence in (0.5, 0.8, 1.0)] == [BANDS[0], BANDS[1], BANDS[1]]
    assert band_of(BANDS, 0.4) is None
    assert band_of((), 0.9) is None


def test_quantiles_are_read_in_order_and_a_fall_is_named_by_its_place() -> None:
    faults: list[DocumentFault] = []
    sound = Fields({"quantiles": [[1, 10], [50, 10.5]]}, ("training",), faults)
    assert read_quantiles(sound) == (Quantile(1, 10), Quantile(50, 10.5))
    assert faults == []
    for wrong in ([50, 1], [5, 12], [100, 12], [60], "p99", [60, True]):
        read_quantiles(Fields({"quantiles": [[50, 10], wrong]}, ("training",), faults))
        assert faults.pop().path == ("training", "quantiles", 1)


def test_bands_may_not_overlap() -> None:
    faults: list[DocumentFault] = []
    bands = [{"from": 0.5, "to": 0.8, "right": 0.7, "n": 9}, {"from": 0.7, "to": 1, "right": 0.9, "n": 9}]
    read_bands(Fields({"calibration": bands}, (), faults))
    assert [fault.path for fault in faults] == [("calibration", 1, "from")]
