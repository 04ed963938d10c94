"""Verifies every log as it is stored: bytes, chain, tree, signatures, and that each projection agrees."""

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reviewsvc.db.hot import crosschecks, scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import restores
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import Finding, Findings, LogReport, Report, Verdict, worst
from reviewsvc.usecases import beside_checks, projection_check
from reviewsvc.usecases.log_check import CHUNK, Piece, Progress
from reviewsvc.usecases.note_check import NoteCheck, logged_history, public_keys
from reviewsvc.usecases.outside_view import Outside
from reviewsvc.usecases.root_check import RootCheck
from reviewsvc.usecases.verifying_together import Task, Team, Together

__all__ = ["CHUNK", "Outside", "Progress", "Scope", "Team", "VerificationError", "verify"]

_TABLES: Final = "(tables)"
_REWRITTEN: Final = (
    "that the logs were never rewritten as a whole, since no head was signed or kept elsewhere"
)
_OWN_KEYS: Final = (
    "who signed: the keys come from the database itself, and whoever can write there could have put them "
    "there; give keys from elsewhere with --keys FILE"
)
_BEYOND: Final = "that what is not sealed yet will not be changed before it is"
_UNKEPT: Final = (
    "that nothing was cut, or rewritten and signed anew by who holds the key: no memory of an earlier state "
    "was compared"
)
_SPLIT: Final = "that others were shown the same logs: a split view is not excluded without witnesses"
_TRUTH: Final = "that producers sent everything, or the truth"


class VerificationError(RuntimeError):
    """The verification could not run; the text says why."""


class Scope(NamedTuple):
    """What is verified: all logs or one; of it all, or the entries of a range; rows too, or hashes alone.

    `since_last`: only what came behind the checkpoints that were verified before.
    """

    only: str | None = None
    seqs: range | None = None
    since_last: bool = False
    projections: bool = True

    @property
    def is_whole(self) -> bool:
        """Say whether all logs are read from their beginning to their end."""
        return self.only is None and self.seqs is None and not self.since_last


def verify(
    conn: Connected,
    *,
    only: str | None = None,
    projections: bool = True,
    scope: Scope | None = None,
    outside: Outside | None = None,
    progress: Progress = lambda _log, _done, _size: None,
    team: Team | None = None,
) -> Report:
    """Verify all logs, or some, against recomputed hashes, signatures and the projections.

    With a team the work is shared among processes; what is found is the same.

    Entries that are appended meanwhile are left to the next run: each log is read up to the size that its
    head had when the run began. VerificationError if there is nothing that could be verified.
    """
    began = time.monotonic()
    unruled = [Finding(_TABLES, 0, what) for what in crosschecks.unruled(conn)]
    if unruled:
        return Report(Verdict.TAMPERED, [], [LogReport(_TABLES, 0, "", unruled)], 0, 0.0, [_TRUTH])
    run = _Run(conn, scope or Scope(only, projections=projections), outside or Outside())
    logs = run.check(progress, team)
    findings = [finding for log in logs for finding in log.findings]
    return Report(
        verdict=_judge(findings, run),
        remarks=run.remarks(),
        logs=logs,
        entries=sum(log.size for log in logs),
        seconds=round(time.monotonic() - began, 3),
        not_proved=run.not_proved(),
    )


class _Run:
    """One verification: what it begins with, and what is found of the whole."""

    def __init__(self, conn: Connected, scope: Scope, outside: Outside) -> None:
        self.conn, self.scope, self.outside = conn, scope, outside
        origin = scan.origin(conn)
        if origin is None:
            raise VerificationError("there are no logs yet: start any process of the service once")
        self.outside.check_marks(scan.installed(conn))
        # The signer's memory first: it is then never ahead of an honest database.
        self.known = self._known(origin)
        self.heads = scan.logs(conn)
        self.pieces = self._pieces([head for head in self.heads if scope.only in (None, head.name)])
        if not self.pieces and scope.only is not None:
            raise VerificationError(
                f"there is no log {scope.only}: `reviewsvc audit verify --json` lists them all"
            )
        self.tables = Findings(_TABLES)
        given = None if outside.keys is None else public_keys(outside.keys, origin)
        if given is not None and not given:
            raise VerificationError(f"the keys that were given are of other logs than those of {origin}")
        self.notes = NoteCheck(origin, logged_history(conn, self.tables), given)
        self.beside = beside_checks.Beside([], [])

    def check(self, progress: Progress, team: Team | None) -> list[LogReport]:
        """Verify piece by piece, and then what no single log can tell."""
        whole = self.scope.only is None
        root = RootCheck(self.conn, self.heads, self.notes, trusts_rows=whole)
        task = Task(self.heads, self.notes, self.known, self.scope.projections, self.outside.keks)
        check = task.check(self.conn, root)
        together = Together(self.conn, team, task, check) if team else None
        logs = (
            together.check(self.pieces, progress)
            if together
            else [check.check(piece, progress) for piece in self.pieces]
        )
        if self.scope.seqs is None:
            names = {head.name for head in self.heads}
            told = scan.continuations(self.conn)
            logs = restores.with_losses(logs, told, names, self.scope.only)
        if whole:
            root.end(self.tables)
            for what in crosschecks.logs(self.conn):
                self.tables.note(0, what)
            self._check_known()
        if self.scope.is_whole:
            root.across(self.tables)
            if check.rows:
                known = together.known() if together else check.rows.known()
                projection_check.across(self.conn, self.heads, known, self.tables)
            self.beside = beside_checks.run(self.conn, self.notes, self.outside.policy)
        self._check_vouched(check.vouched)
        found = self.tables
        tables = [LogReport(found.log, 0, "", found.found, [], found.more)] if found.found else []
        return logs + tables + self.beside.reports

    def remarks(self) -> list[str]:
        """What is worth knowing beside the verdict."""
        if not self.notes.is_signing:
            return ["unsigned"]
        behind = sum(head.size - head.sealed for head in self.heads if head.size > head.sealed)
        told = [f"{behind} entries are not sealed yet"] if behind else []
        return told + self.beside.remarks

    def not_proved(self) -> list[str]:
        """What all of it does not prove."""
        if not self.notes.is_signing:
            return [_REWRITTEN, _TRUTH]
        unsealed = any(head.size > head.sealed for head in self.heads)
        remembered = any(root.told != restores.CONTINUED for roots in self.known.values() for root in roots)
        told = {
            _OWN_KEYS: self.outside.keys is None,
            _BEYOND: unsealed,
            _UNKEPT: not remembered,
            _SPLIT: self.outside.policy is None or not self.outside.policy.witnesses,
            _TRUTH: True,
        }
        return [what for what, holds in told.items() if holds]

    def _known(self, origin: str) -> Mapping[str, Sequence[SignedRoot]]:
        known = self.outside.known(origin, [head.name for head in scan.logs(self.conn)])
        return restores.remembered(known, scan.continuations(self.conn))

    def _pieces(self, heads: Sequence[scan.LogHead]) -> list[Piece]:
        if self.scope.since_last:
            return [self._since(head) for head in heads]
        if self.scope.seqs is not None:
            return [self._around(head, self.scope.seqs) for head in heads]
        return [Piece(head, None, head.size) for head in heads]

    def _since(self, head: scan.LogHead) -> Piece:
        """What came behind the checkpoint that was verified before, if it is stored as it was."""
        marks = self.outside.marks
        mark = marks.logs.get(head.name) if marks else None
        row = stored.checkpoint(self.conn, head.log_id, mark.size) if mark else None
        is_same = row is not None and mark is not None and row.root.hex() == mark.root
        return Piece(head, row if is_same and mark and mark.size <= head.size else None, head.size)

    def _around(self, head: scan.LogHead, seqs: range) -> Piece:
        """The entries between the checkpoints that stand around a range."""
        if not 0 <= seqs.start < seqs.stop <= head.size:
            told = f"{head.name} has {head.size} entries: name a range within them"
            raise VerificationError(told)
        return Piece(
            head,
            stored.checkpoint_before(self.conn, head.log_id, seqs.start),
            stored.size_behind(self.conn, head.log_id, seqs.stop) or head.size,
        )

    def _check_known(self) -> None:
        """Logs that somebody outside remembers, and the database has not."""
        names = {head.name for head in self.heads}
        for log, roots in self.known.items():
            if log not in names and roots:
                told = f"the log {log} is missing: {roots[0].told} {roots[0].root.hex()} over {roots[0].size}"
                self.tables.note(0, told)

    def _check_vouched(self, vouched: set[str]) -> None:
        """Hold the last seals against the keys from outside: the root's vouches for all that is in it."""
        if self.outside.keys is None:
            return
        if not self.notes.is_signing and not self.outside.is_asked:
            return
        roots = [head for head in self.heads if head.kind == "root"]
        newest = max(roots, key=lambda head: int(head.name.rpartition("/")[2]), default=None)
        wanted = next((head for head in self.heads if head.name == self.scope.only), newest)
        for head in [wanted] if wanted else []:
            if not head.sealed:
                told = "nothing of it is signed, and keys were given: its seals were removed, or never made"
                self.tables.note(0, f"{head.name}: {told}", Verdict.INCOMPLETE)
            elif head.name not in vouched:
                told = "no key from outside signed its last checkpoint: are there newer keys, or another log?"
                self.tables.note(0, f"{head.name}: {told}")


def _judge(findings: list[Finding], run: _Run) -> Verdict:
    found = worst(findings)
    if found == Verdict.VERIFIED and run.notes.is_signing and run.outside.keys is None:
        return Verdict.SELF_CONSISTENT
    return found
