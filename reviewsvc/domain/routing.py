"""What a policy says of one prediction: its route."""

from collections.abc import Callable, Iterable

from msgspec import Struct

Draw = Callable[[str, str, str], float]


class Route(Struct, frozen=True, gc=False):
    """Where one prediction goes and why; `queue` and `rule` are None if no person is asked.

    `reasons` are the ids of all rules that took it, the first of them decided. `designs` are (rule,
    probability) of every rule whose conditions held before the draw, `selection_probability` is theirs.
    """

    queue: str | None = None
    rule: str | None = None
    reasons: tuple[str, ...] = ()
    priority: int = 0
    due_s: int | None = None
    reviewers: int = 1
    blind: bool = False
    designs: tuple[tuple[str, float], ...] = ()
    selection_probability: float = 0.0


def selection_probability(shares: Iterable[float]) -> float:
    """Return 1 - prod(1 - p) of rules that draw independently: the chance that at least one takes the case.

    Summed as p + q - pq, so that one rule's share comes out as it stands in the policy.
    """
    chance = 0.0
    for share in shares:
        chance += share - chance * share
    return chance
