"""Gives the newest checkpoint of the root log to each anchor that is due, and watches how far they are."""

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple

from prometheus_client import Gauge

from reviewsvc import telemetry
from reviewsvc.db import anchors as rows
from reviewsvc.db import installations, logs
from reviewsvc.db.anchors import Anchoring
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.anchoring import FORK, KEPT, QUORUM, UNREACHABLE, Anchor, Head, wait_s
from reviewsvc.domain.moments import microseconds
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.tree import consistency_proof
from reviewsvc.domain.witness_policy import NONE, Policy
from reviewsvc.usecases import anchors as states
from reviewsvc.usecases import guarding, own_notes, tiles
from reviewsvc.usecases.anchor_asking import PATIENCE_S, SHORTLY_S, Answer, Asker, giving, showing
from reviewsvc.usecases.anchor_entries import Tried, enter
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.own_notes import NotOursError

_SECOND_US: Final = 1_000_000
_LOOK: Final = "Nothing is anchored: run `reviewsvc audit verify`, and put the row back from a backup"
_BEHIND = Gauge("reviewsvc_anchor_behind_seconds", "How long each anchor lacks what is signed.", ["anchor"])
_UNANCHORED = Gauge("reviewsvc_unanchored_seconds", "How long no anchor at all has what is signed.")
_log = telemetry.logger("anchoring")


class NotOursToGiveError(RuntimeError):
    """What is stored as the root log's newest checkpoint is not one; the text says what to do."""


class Shown(NamedTuple):
    """The checkpoints that anchors show, and why which of them show nothing."""

    notes: list[bytes]
    silent: dict[str, str]


class Anchorer:
    """The anchors that are configured, the policy of the witnesses among them, and who is late."""

    def __init__(
        self,
        sessions: Sessions,
        keyring: Keyring,
        anchors: Sequence[Anchor],
        policy: Policy | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._sessions, self._keyring, self._anchors = sessions, keyring, anchors
        self._policy = policy if policy is not None and policy.quorum != NONE else None
        self._asker = Asker(patience_s)
        self._is_configured = False
        self._late: frozenset[str] = frozenset()
        self._remarks: list[str] = []

    def remarks(self) -> Sequence[str]:
        """Which anchors are late, for people; lateness keeps nobody from working."""
        return self._remarks

    def step(self, at: datetime) -> int:
        """Give what is newest to each anchor that is due; return how many kept it."""
        now = microseconds(at)
        with self._sessions.begin() as session:
            self._configure(session)
            root = _newest(session)
            known = {each.name: each for each in rows.configured(session)}
        if root is None:
            return 0
        due = [each for each in self._anchors if self._is_due(known[each.name], root, now)]
        kept = self._give(due, known, root, at) if due else 0
        with self._sessions.begin() as session:
            self._watch(session, now)
        return kept

    def _configure(self, session: Session) -> None:
        """Say once which anchors there are; all witnesses together are one, if the policy asks for some."""
        if self._is_configured:
            return
        wanted = [_configured(each) for each in self._anchors]
        if self._policy is not None:
            wanted.append({"name": QUORUM, "kind": QUORUM, "place": "", "every_s": 60, "vkey": None})
        rows.configure(session, wanted)
        self._is_configured = True

    def _is_due(self, row: Anchoring, root: SealedLog, now: int) -> bool:
        if self._asker.is_busy(row.name) or _size(row, root) >= root.size:
            return False
        wait = wait_s(row.failures, row.every_s) or row.every_s
        # Away from the last try in either direction: a clock that went back must not stop anchoring.
        return abs(now - (row.tried_at or 0)) >= wait * _SECOND_US

    def _give(self, due: Sequence[Anchor], known: dict[str, Anchoring], root: SealedLog, at: datetime) -> int:
        head = self._head(root)
        answers = self._asker.ask([giving(each, head, _size(known[each.name], root)) for each in due])
        with self._sessions.begin() as session:
            tried = [
                Tried(each, known[each.name], root, _judged(session, answer))
                for each, answer in zip(due, answers, strict=True)
            ]
            for one in tried:
                enter(session, self._keyring, one, at)
            self._note_quorum(session, root, at)
        # What was answered is entered first: if it shows that entries are lost, nobody enters anything more.
        shown = [note for one in tried if one.answer.outcome == FORK for note in one.answer.notes]
        if shown:
            guarding.hold_against(self._sessions, shown, at)
        return sum(one.is_kept for one in tried)

    def shown(self, patience_s: float = SHORTLY_S) -> "Shown":
        """Ask what the anchors have beyond what is known here; who is silent is held to it later."""
        with self._sessions.begin() as session:
            root = _newest(session)
            known = {each.name: each for each in rows.configured(session)}
        if root is None or not self._anchors:
            return Shown([], {})
        sizes = {name: _size(row, root) for name, row in known.items()}
        questions = [showing(each, root.name, sizes.get(each.name, 0)) for each in self._anchors]
        answers = Asker(patience_s).ask(questions)
        named = {each.name: answer for each, answer in zip(self._anchors, answers, strict=True)}
        return Shown(
            [answer.kept.shown for answer in answers if answer.kept.shown],
            {name: answer.why for name, answer in named.items() if answer.outcome != KEPT},
        )

    def _head(self, root: SealedLog) -> Head:
        with self._sessions.begin() as session:
            origin = _checked(session, root).origin
        return Head(root.name, origin, root.size, root.root, root.note, self._prover(root))

    def _prover(self, root: SealedLog) -> Callable[[int], Sequence[bytes]]:
        one_at_a_time = Lock()

        def prove(old: int) -> Sequence[bytes]:
            # Witnesses are asked at once; their proofs must not take up all connections.
            with one_at_a_time, self._sessions.begin() as session:
                read = tiles.node_reader(Sessions.psycopg(session), root)
                return consistency_proof(old, root.size, read)

        return prove

    def _note_quorum(self, session: Session, root: SealedLog, at: datetime) -> None:
        policy = self._policy
        if policy is None:
            return
        cosigned = rows.cosigners(session, root.log_id, [each.vkey for each in policy.witnesses])
        met = max((size for size, found in cosigned.items() if policy.is_met(found)), default=0)
        if met:
            now = microseconds(at)
            rows.note(session, QUORUM, log_id=root.log_id, size=met, kept_at=now, tried_at=now, outcome=KEPT)

    def _watch(self, session: Session, now: int) -> None:
        """Set the figures, and tell of anchors that fell behind and of those that came up again."""
        found = states.overview(session)
        _UNANCHORED.set(0 if found.since is None else (now - found.since) / _SECOND_US)
        for each in found.anchors:
            _BEHIND.labels(each.name).set(0 if each.since is None else (now - each.since) / _SECOND_US)
        late = {each.name: each for each in found.anchors if each.is_late(now)}
        for name in sorted(late.keys() - self._late):
            _log.error("unanchored", anchor=name, since=late[name].since, reason=late[name].why)
        for name in sorted(self._late - late.keys()):
            _log.info("anchored again", anchor=name)
        self._late = frozenset(late)
        forks = [f"the anchor {each.name}: {each.why}" for each in found.anchors if each.outcome == FORK]
        self._remarks = forks + [
            f"the anchor {each.name} lacks checkpoints for {(now - (each.since or now)) // _SECOND_US} s"
            for each in late.values()
        ]


def _configured(anchor: Anchor) -> dict[str, object]:
    names = ("name", "kind", "place", "every_s", "vkey")
    return {name: getattr(anchor, name) for name in names}


def _size(row: Anchoring, root: SealedLog) -> int:
    return row.size if row.log_id == root.log_id else 0


def _newest(session: Session) -> SealedLog | None:
    found = installations.newest_logs(session, "root")
    return (
        stored.sealed_log(Sessions.psycopg(session), logs.names(session, found)[found[0]]) if found else None
    )


def _checked(session: Session, root: SealedLog) -> Tip:
    """Read what is to be given away: what is kept outside cannot be taken back."""
    try:
        tip = own_notes.read(Sessions.psycopg(session), root.note.encode())
    except NotOursError as fault:
        raise NotOursToGiveError(f"{root.name}, {root.size} entries: {fault}. {_LOOK}") from fault
    if (tip.size, tip.root) != (root.size, root.root.hex()):
        told = f"its note is of {tip.size} entries, or has another root"
        raise NotOursToGiveError(f"{root.name}, {root.size} entries: {told}. {_LOOK}")
    return tip


def _judged(session: Session, answer: Answer) -> Answer:
    """A witness that knows more than it was shown is no alarm if that was signed here meanwhile."""
    newest = _newest(session)
    if answer.outcome != FORK or answer.known is None or newest is None or answer.known > newest.size:
        return answer
    return Answer(UNREACHABLE, f"somebody else gave it {answer.known} entries first; it is asked again")
