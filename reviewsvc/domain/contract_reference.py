"""What a contract tells of the model's training: how its inputs lay, and how often it was right."""

from collections.abc import Sequence

from msgspec import Struct

from reviewsvc.domain.document import Fields, is_number

_TAIL_PERCENT, _ALL_PERCENT = 5, 100


class Quantile(Struct, frozen=True):
    """A value that at least `percent` % of the training values do not exceed."""

    percent: float
    value: float


class Band(Struct, frozen=True):
    """Of `n` answers with a confidence from `low` up to `high`, the share `right` was right."""

    low: float
    high: float
    right: float
    n: int


def read_quantiles(read: Fields | None) -> tuple[Quantile, ...]:
    """Read `{quantiles: [[percent, value], ...]}`, percents rising, values not falling."""
    if read is None:
        return ()
    found: list[Quantile] = []
    for place, pair in enumerate(read.items("quantiles", "pairs of percent and value")):
        quantile = _quantile(pair)
        if quantile is None or not _follows(quantile, found):
            read.fault(
                "[percent, value], percent rising below 100, value not falling", pair, "quantiles", place
            )
        else:
            found.append(quantile)
    read.finish()
    return tuple(found)


def _follows(quantile: Quantile, found: list[Quantile]) -> bool:
    before = found[-1] if found else Quantile(0, quantile.value)
    return before.percent < quantile.percent < _ALL_PERCENT and before.value <= quantile.value


def _quantile(pair: object) -> Quantile | None:
    if isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)):  # noqa: PLR2004 - a pair
        return Quantile(*pair)
    return None


def read_bands(read: Fields) -> tuple[Band, ...]:
    """Read `calibration: [{from, to, right, n}, ...]`, bands in order, none overlapping."""
    found: list[Band] = []
    for place, one in enumerate(read.items("calibration", "bands of confidence", required=False)):
        inner = read.below(one, "calibration", place)
        low = inner.number("from", found[-1].high if found else 0, 1)
        found.append(
            Band(low, inner.number("to", low, 1), inner.number("right", 0, 1), inner.whole("n", 0, 10**12))
        )
        inner.finish()
    return tuple(found)


def unusual(quantiles: Sequence[Quantile], value: float) -> str:
    """Say in what tail of the training values one lies: "above 98 % of training"; empty if in neither."""
    passed = max((q.percent for q in quantiles if value > q.value), default=0)
    if passed >= _ALL_PERCENT - _TAIL_PERCENT:
        return f"above {passed:g} % of training"
    short = min((q.percent for q in quantiles if value < q.value), default=_ALL_PERCENT)
    return f"below {_ALL_PERCENT - short:g} % of training" if short <= _TAIL_PERCENT else ""


def band_of(bands: Sequence[Band], confidence: float) -> Band | None:
    """Find the band of a confidence; the last one holds its upper end too."""
    inside = [band for band in bands if band.low <= confidence < band.high]
    last = bands[-1] if bands and confidence == bands[-1].high else None
    return inside[0] if inside else last
