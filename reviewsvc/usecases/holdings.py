"""Holds the logs of a database against what the signer remembers of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from reviewsvc.db import continuations
from reviewsvc.db.continuations import Standing
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import Growth
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.signing import Tip
from reviewsvc.usecases import edges


class Holding(NamedTuple):
    """A log as the database has it, and the largest tree that was signed of it, size and root.

    `lost_from` to `lost_to`, left out, is what was signed and is not here. Without `last` nothing is here.
    """

    name: str
    last: Standing | None
    signed: Tip
    lost_from: int
    lost_to: int

    @property
    def lost(self) -> int:
        """How many signed entries are lost."""
        return self.lost_to - self.lost_from

    @property
    def size(self) -> int:
        """How many entries are here."""
        return self.last.size if self.last else 0

    def __str__(self) -> str:
        """Say what is lost of it."""
        told = f"{self.name}: {self.signed.size} entries were signed, {self.size} are here"
        if self.lost_from < self.size:
            told += f", from {self.lost_from} on others than were signed"
        return told


def hold(session: Session, origin: str, signed: Sequence[Tip], shown: Sequence[Tip] = ()) -> list[Holding]:
    """Hold the newest incarnation of every log against what was signed, those too that are not here at all.

    `signed` is what the signer remembers, one of a log; it must have been asked for before: meanwhile logs
    grow. `shown` are checkpoints that came back from outside, of any size. Raises LogChangedError if a log is
    not any more what its own checkpoint says.
    """
    conn, found = Sessions.psycopg(session), continuations.newest(session)
    tips = _by_log(signed, origin)
    notes = _by_log(shown, origin)
    held = [_held(conn, origin, last, tips.get(last.name, []), notes.get(last.name, [])) for last in found]
    largest = {
        name: max([*tips.get(name, []), *notes.get(name, [])], key=lambda tip: tip.size)
        for name in tips.keys() | notes.keys()
    }
    return held + _unknown(largest, {last.series: last for last in found})


def lost(held: Iterable[Holding]) -> list[Holding]:
    """Those of which something is lost."""
    return [each for each in held if each.lost]


def _by_log(tips: Iterable[Tip], origin: str) -> dict[str, list[Tip]]:
    found: dict[str, list[Tip]] = {}
    for tip in tips:
        if tip.origin.startswith(f"{origin}/"):
            found.setdefault(tip.origin.removeprefix(f"{origin}/"), []).append(tip)
    return found


def _held(
    conn: Connected, origin: str, last: Standing, signed: Sequence[Tip], shown: Sequence[Tip]
) -> Holding:
    # What the signer remembers of up to the last checkpoint is the sealer's to compare, each second.
    tips = [*(tip for tip in signed if tip.size > last.sealed), *shown]
    here = sorted({tip.size for tip in tips if tip.size <= last.size})
    roots = dict(zip(here, edges.roots_at(conn, origin, growth(last), here), strict=True))
    good = [tip.size for tip in tips if tip.size in roots and roots[tip.size].hex() == tip.root]
    others = [tip for tip in tips if tip.size in roots and roots[tip.size].hex() != tip.root]
    more = [tip for tip in tips if tip.size > last.size]
    if not (others or more):
        largest = max([*signed, *shown], key=lambda tip: tip.size, default=Tip(f"{origin}/{last.name}"))
        return Holding(last.name, last, largest, last.size, last.size)
    largest = max([*others, *more], key=lambda tip: tip.size)
    if not others:
        return Holding(last.name, last, largest, last.size, largest.size)
    # The restored database was written to before anybody looked: the two part behind what both have.
    parted = min(tip.size for tip in others)
    common = max([size for size in good if size < parted], default=0)
    return Holding(
        last.name, last, largest, max(common, last.sealed if parted > last.sealed else 0), largest.size
    )


def _unknown(tips: Mapping[str, Tip], known: Mapping[str, Standing]) -> list[Holding]:
    """Logs that were signed, and of which the database knows nothing: made after the backup was."""
    found: dict[str, Holding] = {}
    for name, tip in tips.items():
        series, _, incarnation = name.rpartition("/")
        last = known.get(series)
        newer = last is None or int(incarnation) > last.incarnation
        before = found.get(series)
        if newer and (before is None or int(incarnation) > int(before.name.rpartition("/")[2])):
            found[series] = Holding(name, None, tip, 0, tip.size)
    return list(found.values())


def growth(last: Standing) -> Growth:
    """The log as those know it who extend trees."""
    return Growth(last.log_id, last.name, last.kind, last.size, last.sealed)
