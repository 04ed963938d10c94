"""Seals the logs: extends their trees by what was committed, has that signed, enters it in the root log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from prometheus_client import Counter
from sqlalchemy.exc import IntegrityError

from reviewsvc import telemetry
from reviewsvc.db import installations, logs, seals
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.seals import Growth, StoredTile
from reviewsvc.db.logs import LogMissingError
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.entries import Ref
from reviewsvc.domain.facts import UNEVENTFUL
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.projections import CheckpointRow, checkpoint_row
from reviewsvc.domain.signing import STALE, SignsCheckpoints, Tip
from reviewsvc.usecases import edges, signing_keys
from reviewsvc.usecases.edges import Edges, Extended, LogChangedError
from reviewsvc.usecases.key_history import SigningKey

AT_ONCE: Final = 65_536
# A key whose end is nearer than this signs no more, so that nothing is entered behind its end.
_MARGIN_US: Final = 60_000_000
_IDLE_US: Final = 3_600_000_000
_BLOCKED: Final = timedelta(minutes=1)
_LOOK: Final = "Run `reviewsvc audit verify`, and put back what is missing from a backup"
_SEALED = Counter("reviewsvc_sealed_entries", "Entries that were sealed, those of the root log too.")
_log = telemetry.logger("sealing")


class SealingError(RuntimeError):
    """Some logs were not sealed; the others were. The text says which, and why."""


class Sealed(NamedTuple):
    """An extended log and its signed note."""

    extended: Extended
    note: str


class Blocked(NamedTuple):
    """A log that something stands in the way of: how far it is sealed, until when it is left out, and why."""

    sealed: int
    until: datetime
    why: str


class Sealer:
    """Seals what has grown, again and again; keeps the logs' right edges in between."""

    def __init__(self, sessions: Sessions, signer: SignsCheckpoints, *, at_once: int = AT_ONCE) -> None:
        self._sessions = sessions
        self._signer = signer
        self._edges = Edges(at_once)
        self._troubles: dict[str, str] = {}
        # What stands in a log's way is looked for again only after a while: it takes reading much.
        self._blocked: dict[int, Blocked] = {}

    def step(self, at: datetime) -> int:
        """Seal every log that has grown, and then the root log; return how many entries are left.

        Does nothing while no signing key is known, and nothing if nothing has grown but by what anchoring and
        verifying write: that is sealed with the next other entry, or after an hour. Raises SealingError when
        all others were sealed.
        """
        self._troubles = {}
        with self._sessions.begin() as session:
            known = signing_keys.history(session)
            grown = stored.grown(Sessions.psycopg(session)) if known else []
            conn = Sessions.psycopg(session)
            is_due = bool(grown) and _is_due(conn, grown, microseconds(at))
            # A checkpoint is entered at no time before the last: where the clock went back, a key must be
            # good at that time.
            now = max(microseconds(at), stored.root_said_at(conn)) if is_due else 0
        if not is_due:
            return 0
        keys = _good(known, now)
        left = self._seal([each for each in self._open(grown, at) if each.kind != "root"], keys, at)
        self._seal_root(keys, at)
        if self._troubles:
            raise SealingError("; ".join(f"{log}: {why}" for log, why in self._troubles.items()))
        return left

    def _seal(self, grown: Sequence[Growth], keys: Sequence[SigningKey], at: datetime) -> int:
        """Sign the logs' checkpoints and enter them in the root log; return how many entries are left."""
        signed = self._sign(grown, [key for key in keys if not key.is_second])
        if not signed:
            return 0
        with _telling(), self._sessions.begin() as session:
            root_id = _root_id(session)
            heads = logs.lock_heads(session, [root_id])
            # Whoever seals holds the root log's head, so that nothing is entered twice or out of order.
            fresh = self._fresh(session, signed, at)
            rows = [_enter(session, heads[root_id], each, microseconds(at)) for each in fresh]
            logs.save_heads(session, heads)
            _keep(session, fresh, rows)
        return self._kept(fresh)

    def _open(self, grown: Sequence[Growth], at: datetime) -> list[Growth]:
        """Leave out the logs that something stood in the way of, a short while ago."""
        found = []
        for log in grown:
            blocked = self._blocked.get(log.log_id)
            if blocked and blocked.sealed == log.sealed and blocked.until - _BLOCKED <= at < blocked.until:
                self._troubles[log.name] = blocked.why
            else:
                self._blocked.pop(log.log_id, None)
                found.append(log)
        return found

    def _fresh(self, session: Session, signed: Sequence[Sealed], at: datetime) -> list[Sealed]:
        """Return what is to be entered: nobody was faster, and nothing stands where it comes to stand."""
        conn, found = Sessions.psycopg(session), []
        for each in signed:
            if not _is_next(session, each.extended):
                continue
            why = edges.in_the_way(conn, each.extended)
            if why:
                log = each.extended.log
                self._troubles[log.name] = why
                self._blocked[log.log_id] = Blocked(log.sealed, at + _BLOCKED, why)
            else:
                found.append(each)
        return found

    def _seal_root(self, keys: Sequence[SigningKey], at: datetime) -> None:
        """Sign the root log's checkpoint, if it has grown; what this writes is no entry."""
        with self._sessions.begin() as session:
            root_id = _root_id(session)
            all_grown = self._open(stored.grown(Sessions.psycopg(session)), at)
            grown = [each for each in all_grown if each.log_id == root_id]
        signed = self._sign(grown, keys)
        if not signed:
            return
        with _telling(), self._sessions.begin() as session:
            logs.lock_heads(session, [root_id])
            fresh = self._fresh(session, signed, at)
            _keep(session, fresh, [_root_row(each, microseconds(at)) for each in fresh])
        self._kept(fresh)

    def _sign(self, grown: Sequence[Growth], keys: Sequence[SigningKey]) -> list[Sealed]:
        """Extend the logs' trees and have them signed; one that does not hold is a trouble, not the end."""
        vkeys = [key.verifier.text() for key in keys]
        extended = self._extend(grown, vkeys) if grown else []
        if not extended:
            return []
        answers = self._signer.sign([each.wanted for each in extended], vkeys)
        signed = []
        for each, answer in zip(extended, answers, strict=True):
            if answer.note:
                signed.append(Sealed(each, answer.note))
            elif answer.refused != STALE:
                self._troubles[each.log.name] = f"the signer refused it: {answer.why}"
            # Stale: another sealer was faster. The next turn begins with what it signed.
        return signed

    def _extend(self, grown: Sequence[Growth], vkeys: Sequence[str]) -> list[Extended]:
        with self._sessions.begin() as session:
            row = installations.get(session)
            assert row is not None
            conn = Sessions.psycopg(session)
            tips = self._signer.tips([f"{row.origin}/{each.name}" for each in grown])
            found = []
            for log, tip in zip(grown, tips, strict=True):
                try:
                    at = self._caught_up(conn, row.origin, log, tip, vkeys) if tip.size < log.sealed else tip
                    found.append(self._edges.extend(conn, row.origin, log, at))
                except LogChangedError as changed:
                    self._troubles[log.name] = str(changed)
        return found

    def _caught_up(self, conn: Connected, origin: str, log: Growth, tip: Tip, vkeys: Sequence[str]) -> Tip:
        """Bring a signer whose memory is behind up to the log's last checkpoint, by proof."""
        wanted = edges.catch_up(conn, origin, log, tip)
        (answer,) = self._signer.sign([wanted], vkeys)
        if answer.refused:
            raise LogChangedError(f"the signer refused its last checkpoint: {answer.why}")
        _log.warning("the signer had forgotten", log=log.name, knew=tip.size, signed=wanted.size)
        return Tip(wanted.origin, wanted.size, wanted.root)

    def _kept(self, fresh: Sequence[Sealed]) -> int:
        """Note what was entered; return how many entries are left."""
        self._edges.keep(each.extended for each in fresh)
        _SEALED.inc(sum(each.extended.wanted.size - each.extended.previous for each in fresh))
        return sum(each.extended.left for each in fresh)


def _good(known: Sequence[SigningKey], now: int) -> list[SigningKey]:
    good = [key for key in known if key.is_good(now, now + _MARGIN_US)]
    if all(key.is_second for key in good):
        raise SealingError("no signing key is good any more: `reviewsvc keys rotate` makes one")
    return good


def _is_due(conn: Connected, grown: Sequence[Growth], now: int) -> bool:
    """Say whether something is to be sealed that was not written because of a seal; else once an hour."""
    if any(log.kind != "activity" or stored.has_events(conn, log, UNEVENTFUL) for log in grown):
        return True
    return abs(now - stored.root_sealed_at(conn)) >= _IDLE_US


def _root_id(session: Session) -> int:
    found = installations.newest_logs(session, "root")
    if not found:
        raise SealingError(f"the root log is missing from the database: nothing is sealed. {_LOOK}")
    return found[0]


@contextmanager
def _telling() -> Iterator[None]:
    """Say in words what keeps the root log from being written to."""
    try:
        yield
    except LogMissingError as fault:
        raise SealingError(f"the head of the root log is missing: nothing is sealed. {_LOOK}") from fault
    except IntegrityError as fault:
        told = (
            "an entry, a checkpoint or a tile stands where the next seal comes to stand, and no seal made it"
        )
        raise SealingError(f"{told}: nothing is sealed. {_LOOK}") from fault


def _is_next(session: Session, extended: Extended) -> bool:
    return seals.sealed_size(session, extended.log.log_id) == extended.previous


def _enter(session: Session, head: logs.Head, sealed: Sealed, clock: int) -> CheckpointRow:
    log, wanted = sealed.extended.log, sealed.extended.wanted
    proof = [each.hex() for each in sealed.extended.proof]
    said = f.Checkpoint(log.name, wanted.size, wanted.root, log.sealed, proof, sealed.note)
    place = logs.append(session, head, "checkpoint", said, clock=clock, ref=Ref(log.name, wanted.size - 1))
    return checkpoint_row(place, said, log.log_id)


def _root_row(sealed: Sealed, clock: int) -> CheckpointRow:
    log, wanted = sealed.extended.log, sealed.extended.wanted
    return CheckpointRow(log.log_id, wanted.size, bytes.fromhex(wanted.root), sealed.note, clock, None)


def _keep(session: Session, fresh: Sequence[Sealed], rows: Sequence[CheckpointRow]) -> None:
    seals.add_checkpoints(session, rows)
    tiles = [StoredTile(each.extended.log.log_id, *tile) for each in fresh for tile in each.extended.tiles]
    stored.add_tiles(Sessions.psycopg(session), tiles)
