"""Adopts a restored database: what is lost is named, and every log goes on as its next incarnation."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from reviewsvc.db import continuations, generation, installations
from reviewsvc.db.continuations import Standing
from reviewsvc.db.hot import guards
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.guards import Guard, Identity
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.tree import EMPTY_ROOT
from reviewsvc.usecases import edges, holdings, own_notes
from reviewsvc.usecases.activity import Said, record, secrets
from reviewsvc.usecases.holdings import Holding
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.own_notes import NotOursError

_WHY: Final = "restore"


class AdoptionError(RuntimeError):
    """The database cannot be adopted as it is; the text says what to do first."""


class Plan(NamedTuple):
    """What an adoption would do: where the database was and is, what is held and lost, who asked for it.

    With `goes_on` the logs end here, and go on as their next incarnations.
    """

    guard: Guard
    held: list[Holding]
    goes_on: bool
    is_said: bool

    @property
    def is_needed(self) -> bool:
        """Say whether anything keeps this database from being written to, or somebody says that it should."""
        moved = self.guard.present != self.guard.recorded
        return moved or self.guard.trouble is not None or bool(self.lost) or self.is_said

    @property
    def lost(self) -> list[Holding]:
        """The logs of which something is lost."""
        return holdings.lost(self.held)

    @property
    def entries_lost(self) -> int:
        """How many signed entries are lost."""
        return sum(each.lost for each in self.held)


class Adoption(NamedTuple):
    """Who adopts and why, what was signed, and whether a database without signatures lost nothing.

    `is_restored`: they say that it was restored, though nothing else tells. `shown` are checkpoints that came
    back from where they were kept.
    """

    actor: Actor
    reason: str
    signed: Sequence[Tip]
    nothing_lost: bool = False
    is_restored: bool = False
    asked_by: str | None = None
    shown: Sequence[Tip] = ()


class Adopted(NamedTuple):
    """What was done: where the database lives now, which log went on as which, what is lost."""

    present: Identity
    logs: list[tuple[str, str]]
    lost: list[Holding]
    erasures: int


def plan(sessions: Sessions, adoption: Adoption) -> Plan:
    """Say what `adopt` would do, and change nothing. Raises AdoptionError, LogChangedError."""
    with sessions.begin() as session:
        return _planned(session, adoption)


def ask(sessions: Sessions, adoption: Adoption, at: datetime) -> bool:
    """Say whether somebody else has asked for the adoption; if not, keep that this person does."""
    with sessions.begin() as session:
        planned = _planned(session, adoption)
        by = f"{adoption.actor.kind}:{adoption.actor.id}"
        before = (planned.guard.request or {}).get("by")
        if planned.is_needed and before in {None, by}:
            conn, waits = Sessions.psycopg(session), "its adoption waits for a second person"
            guards.confirm(conn, at, planned.guard.trouble or waits)
            continuations.requested(session, {"by": by, "at": microseconds(at)})
        return before not in {None, by}


def adopt(
    sessions: Sessions, keyring: Keyring, adoption: Adoption, at: datetime, erase_again: Callable[[], int]
) -> Adopted:
    """Let the service write to this database again: nothing of what was signed is quietly continued.

    Where signed entries are lost, every log ends with what was restored, and goes on as its next incarnation,
    whose first entry says what is lost. `erase_again` does what the database has forgotten of erasures, and
    says how many. Raises AdoptionError, LogChangedError.
    """
    with sessions.begin() as session:
        planned, moved = _begin(session, adoption, at)
    # Erasures are entries of the logs that go on. If this process ends here, nobody may write yet, and an
    # adoption that is begun again finds nothing lost any more.
    erasures = erase_again()
    with sessions.begin() as session:
        continuations.settle(session, *planned.guard.present)
        done = Adopted(planned.guard.present, moved, planned.lost, erasures)
        request = planned.guard.request or {}
        _record(session, keyring, done, adoption._replace(asked_by=request.get("by")), at)
        guards.confirm(Sessions.psycopg(session), at)
        return done


def tip_of_note(sessions: Sessions, note: bytes) -> Tip:
    """Read a checkpoint that left the house. Raises AdoptionError if no key of ours signed it."""
    with sessions.begin() as session:
        try:
            return own_notes.read(Sessions.psycopg(session), note)
        except NotOursError as fault:
            raise AdoptionError(str(fault)) from fault


def _begin(session: Session, adoption: Adoption, at: datetime) -> tuple[Plan, list[tuple[str, str]]]:
    generation.bump(session)
    installations.lock(session)
    continuations.lock(session)
    planned = _planned(session, adoption)
    if not planned.is_needed:
        raise AdoptionError("this database is the one that was written to last: there is nothing to adopt")
    conn = Sessions.psycopg(session)
    moved = _continue(session, conn, planned, adoption, at) if planned.goes_on else []
    continuations.thaw(session)
    guards.confirm(conn, at, "its adoption has not come to its end")
    return planned, moved


def _planned(session: Session, adoption: Adoption) -> Plan:
    conn = Sessions.psycopg(session)
    guard, row = guards.look(conn), installations.get(session)
    if guard is None or row is None:
        raise AdoptionError("nothing is installed in this database: there is nothing to adopt")
    shown = [*adoption.shown, *own_notes.read_all(conn, [note.encode() for note in guard.notes])[0]]
    if guard.signs and not (adoption.signed or shown):
        raise AdoptionError(
            "what was signed is not known here: set REVIEWSVC_SIGNER_SOCKET, or REVIEWSVC_SIGNING_KEY_FILE "
            "with its state beside it; if the signer's memory is lost, name the newest checkpoints that left "
            "the house with --checkpoint"
        )
    held = holdings.hold(session, row.origin, adoption.signed, shown)
    is_unknown = not (guard.signs or adoption.nothing_lost)
    goes_on = bool(holdings.lost(held)) or is_unknown or adoption.is_restored
    return Plan(guard, held, goes_on, adoption.is_restored)


def _continue(
    session: Session, conn: Connected, planned: Plan, adoption: Adoption, at: datetime
) -> list[tuple[str, str]]:
    """Freeze all logs and open their next incarnations."""
    row = installations.get(session)
    assert row is not None
    guards.freeze(conn)
    # No entry may seem older than those that it follows, whatever the clock of the new machine says.
    clock = max(microseconds(at), *(each.last.last_at for each in planned.held if each.last))
    moved = []
    for each in planned.held:
        said = _said(conn, row.origin, each)
        last = each.last or _absent(each)
        log_id = continuations.open_next(session, last, said, clock=clock, actor=adoption.actor)
        if each.last:
            continuations.move(session, last.log_id, log_id)
        moved.append((last.name, f"{last.series}/{last.incarnation + 1}"))
    return moved


def _said(conn: Connected, origin: str, held: Holding) -> f.Continuation:
    last = held.last
    root = edges.roots(conn, origin, holdings.growth(last), [last.size])[0] if last else EMPTY_ROOT
    return f.Continuation(
        why=_WHY,
        log=held.name,
        size=held.size,
        root=root.hex(),
        signed=held.signed.size,
        signed_root=held.signed.root,
        lost_from=held.lost_from,
        lost_to=held.lost_to,
        topic_id=last.topic_id if last else None,
        next_offset=last.next_offset if last else None,
    )


def _absent(held: Holding) -> Standing:
    """A log that was made after the backup was, as far as its name tells."""
    series, _, incarnation = held.name.rpartition("/")
    kind, *parts = series.split("/")
    is_captured = kind in {"predictions", "outcomes"}
    return Standing(
        log_id=0,
        name=held.name,
        kind=kind,
        size=0,
        sealed=0,
        series=series,
        incarnation=int(incarnation),
        topic=parts[0] if is_captured else None,
        partition=int(parts[1]) if is_captured else None,
        shard=int(parts[0]) if kind in {"activity", "ingest"} else None,
        model=parts[0] if kind == "labels" else None,
        next_offset=None,
        topic_id=None,
        last_at=0,
    )


def _record(session: Session, keyring: Keyring, done: Adopted, adoption: Adoption, at: datetime) -> None:
    facts = f.RestoreAdopted(
        done.present.system_id,
        done.present.timeline,
        len(done.logs),
        sum(each.lost for each in done.lost),
        done.erasures,
        adoption.asked_by,
    )
    said = Said("restore_adopted", facts, payload=secrets(reason=adoption.reason))
    record(session, keyring, [said], actor=adoption.actor, at=at)
