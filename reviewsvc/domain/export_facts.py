"""What a bundle was about, as the entry of its export says it, and whether a case may stand in it."""

from collections.abc import Collection
from typing import Final, NamedTuple

from msgspec import field

from reviewsvc.domain.fact import Facts

# More names would not fit an entry; how many there were is said.
MOST_LOGS: Final = 32


class About(Facts, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An auditor's question in ids of ours and keyed hashes; the export names the model. Times: microseconds.

    `ids` are the predictions of a case, `logs` the first names of the `parts` that a range was limited to.
    """

    kind: str
    subject: str | None = None
    reviewer: str | None = None
    queue: str | None = None
    ids: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    parts: int = 0
    since: int | None = None
    until: int | None = None


class Traits(NamedTuple):
    """What of a case bundles are asked by; `places` are the log and time of each of its entries."""

    id: str
    model: str
    subject: str | None
    reviewers: Collection[str]
    queues: Collection[str]
    places: Collection[tuple[str, int]]


def reaches(about: About, model: str | None, made_at: int, case: Traits) -> bool:
    """Say whether a bundle made then holds entries of a case; what its entry leaves out counts as reached."""
    then = [place for place in case.places if place[1] <= made_at]
    return _names(about, model, case) and any(_covers(about, log, at) for log, at in then)


def _names(about: About, model: str | None, case: Traits) -> bool:
    match about.kind:
        case "model":
            return model == case.model
        case "subject":
            return about.subject == case.subject
        case "reviewer":
            return about.reviewer in case.reviewers
        case "queue":
            return about.queue in case.queues
        case "case":
            return case.id in about.ids
    return True


def _covers(about: About, log: str, at: int) -> bool:
    in_time = (about.since is None or at >= about.since) and (about.until is None or at < about.until)
    return in_time and (about.parts == 0 or log in about.logs or about.parts > len(about.logs))
