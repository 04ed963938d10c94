"""The one prediction that is meant by what its producer calls it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from reviewsvc.crypto.keyed import find_hash, id_hash
from reviewsvc.domain.projections import signed64

Found = TypeVar("Found", bound=Any)


class NotCapturedError(LookupError):
    """No such prediction has been captured."""


class SeveralSourcesError(ValueError):
    """Several sources sent a prediction of this id."""


class Sent(NamedTuple):
    """A prediction as its producer named it; without a source it is looked for among all."""

    model: str
    prediction_id: str
    source: str | None = None


def place(key: bytes, sent: Sent) -> int:
    """Return where tables keep predictions of this model and id; `key` is that of their keyed hashes."""
    return signed64(find_hash(key, sent.model, sent.prediction_id).hex())


def the_one(key: bytes, sent: Sent, found: Sequence[Found]) -> Found:
    """Return the last of those found at that place that is meant; each has an `id_hash`.

    Raises NotCapturedError, and SeveralSourcesError if no source is given and several sent it.
    """
    if sent.source is not None:
        wanted = id_hash(key, sent.model, sent.source, sent.prediction_id)
        found = [each for each in found if bytes(each.id_hash) == wanted]
    if not found:
        raise NotCapturedError(f"No prediction {sent.prediction_id} of {sent.model} has been captured.")
    if len({bytes(each.id_hash) for each in found}) > 1:
        raise SeveralSourcesError(
            f"Several sources sent a prediction {sent.prediction_id} of {sent.model}: name one."
        )
    return found[-1]
