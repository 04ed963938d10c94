"""The attributions that a producer may send with a prediction."""

from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder


class Attribution(Struct, frozen=True, gc=False):
    """How far one feature moved the answer, in the model's own unit."""

    feature: str
    value: float


class Explanation(Struct, frozen=True, gc=False):
    """What moved the answer away from `base`, the answer without any feature; None if not said."""

    attributions: tuple[Attribution, ...]
    base: float | None = None


_listed = Decoder(Explanation).decode
_mapped = Decoder(dict[str, float]).decode


def read_explanation(raw: Raw | bytes) -> Explanation | None:
    """Read `{"attributions": [{"feature", "value"}], "base"}` or a map of feature to number.

    Sorted by size, largest first. None if there is none or it has another shape; it is kept as sent anyway.
    """
    text = bytes(raw)
    read = _from_list(text) or _from_map(text)
    if read is None:
        return None
    order = sorted(read.attributions, key=lambda one: (-abs(one.value), one.feature))
    return Explanation(tuple(order), read.base)


def _from_list(text: bytes) -> Explanation | None:
    try:
        return _listed(text)
    except (ValidationError, DecodeError):
        return None


def _from_map(text: bytes) -> Explanation | None:
    try:
        features = _mapped(text)
    except (ValidationError, DecodeError):
        return None
    return Explanation(tuple(Attribution(name, value) for name, value in features.items()))
