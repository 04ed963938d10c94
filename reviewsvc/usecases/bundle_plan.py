"""What a bundle will hold: which checkpoints it stands on, and which entries of which logs."""

from array import array
from bisect import bisect_left
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from reviewsvc.crypto.keyed import id_hash
from reviewsvc.db.hot import anchored, exports, picks, scan
from reviewsvc.db.hot.connection import Connected
from reviewsvc.db.hot.exports import PinnedLog
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.bundle import KeySpan, Question, QuestionError, Scope
from reviewsvc.domain.entries import Actor, Entry
from reviewsvc.usecases import sent_ids, subjects
from reviewsvc.usecases.anchored_root import roots
from reviewsvc.usecases.bundle_parts import BundleError
from reviewsvc.usecases.bundle_pieces import Piece
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.sent_ids import Sent
from reviewsvc.usecases.signing_keys import history

# A root log up to this size goes into a bundle as a whole; of a longer one, what seals the bundle's logs.
WHOLE_ROOT: Final = 20_000
_EARLIEST: Final = -(2**63)
_LATEST: Final = 2**63 - 1
_read_at = msgspec.json.Decoder(Entry).decode


class Stamped(Struct, frozen=True):
    """A checkpoint of the root log, up to the one that the bundle stands on, and its time stamp."""

    size: int
    note: str
    answer: bytes


class Plan(Struct, frozen=True):
    """A question, pinned to the checkpoints that stood when it was first asked; the root comes first."""

    origin: str
    question: Question
    purpose: str
    exporter: Actor
    made_at: int
    pieces: list[Piece]
    keys: list[KeySpan]
    stamp: Stamped | None = None

    @property
    def root(self) -> Piece:
        """The root log's part."""
        return self.pieces[0]


class Asked(NamedTuple):
    """Who asks what, and what for."""

    question: Question
    purpose: str
    exporter: Actor


def make_plan(sessions: Sessions, keyring: Keyring, asked: Asked, folder: Path, at_us: int) -> Plan:
    """Pin the logs and choose the entries; what is picked is kept in `folder`, a file a log.

    Raises QuestionError if nothing is signed yet, or if nothing is about what is asked.
    """
    with sessions.begin() as session:
        conn = Sessions.psycopg(session)
        newest = _root(conn, asked.question)
        if newest is None:
            raise QuestionError("no log is signed yet: `reviewsvc keys make`, and a worker that seals")
        spans = [KeySpan(key.verifier.text(), key.valid_from, key.valid_until) for key in history(session)]
        origin = scan.origin(conn) or ""
        standing = [(root, exports.pinned(conn, root)) for root in roots(conn, newest)]
        stamp = anchored.stamp(conn, newest.log_id, standing[0][0].size)
        terms = _terms(session, keyring, asked.question)
    for root, pinned in standing:
        logs = _meant(pinned, asked.question, must=root is standing[-1][0])
        pieces = [_piece(sessions, log, asked.question, terms, folder) for log in logs]
        pieces = [piece for piece in pieces if piece.scope.entries]
        if pieces:
            sealing = sorted(log.root_seq for log in pinned if log.log_id in {one.log_id for one in pieces})
            pieces.insert(0, _root_piece(root, sealing, folder, asked.question))
            said = origin, asked.question, asked.purpose, asked.exporter
            return Plan(*said, at_us, pieces, spans, _stamp(stamp))
    raise QuestionError("no sealed entry is about what is asked")


def _root(conn: Connected, question: Question) -> SealedLog | None:
    """The newest root log; before a restore another one sealed, which is taken for logs that are named."""
    found = {root.name: root for log in question.logs if (root := exports.root_that_seals(conn, log))}
    if len(found) > 1:
        raise QuestionError(f"these logs are sealed by {' and '.join(sorted(found))}: ask for each apart")
    return next(iter(found.values())) if found else exports.newest_root(conn)


def _meant(pinned: list[PinnedLog], question: Question, *, must: bool) -> list[PinnedLog]:
    """The logs that may hold what is asked; if one is named that is not sealed, none, or QuestionError."""
    if question.logs:
        known = {log.name: log for log in pinned}
        missing = [name for name in question.logs if name not in known]
        if missing and not must:
            return []
        if missing:
            raise QuestionError(f"there is no sealed log {', '.join(missing)}")
        return [known[name] for name in sorted(set(question.logs))]
    if question.model is not None:
        return [log for log in pinned if log.kind != "labels" or log.model == question.model]
    return pinned


def _piece(
    sessions: Sessions, log: PinnedLog, question: Question, terms: dict[str, Any], folder: Path
) -> Piece:
    if question.kind == "range":
        with sessions.begin() as session:
            first, behind = _between(Sessions.psycopg(session), log, question)
        return _of(log, "range", first, behind, behind - first)
    if question.kind == "model" and log.kind == "labels":
        return _of(log, "range", 0, log.size, log.size)
    count = 0
    with (folder / f"{log.log_id}.picks").open("wb") as stream, sessions.begin() as session:
        conn = Sessions.psycopg(session)
        for seq in picks.seqs(conn, (log.log_id, log.kind), log.size, question.kind, terms):
            stream.write(array("q", [seq]).tobytes())
            count += 1
    return _of(log, "picked", 0, log.size, count)


def _of(log: PinnedLog, scope: Any, first: int, behind: int, entries: int) -> Piece:  # noqa: ANN401 - one of two words
    told = Scope(log.name, log.size, log.root.hex(), scope, first, behind, entries)
    return Piece(log.log_id, log.kind, log.model, log.note, told)


def _stamp(found: anchored.Stamp | None) -> Stamped | None:
    if found is None or found.note is None or found.answer is None:
        return None
    return Stamped(found.size, found.note, bytes(found.answer))


def _root_piece(root: SealedLog, sealing: list[int], folder: Path, question: Question) -> Piece:
    whole = root.size <= WHOLE_ROOT or question.is_everything
    if not whole:
        (folder / f"{root.log_id}.picks").write_bytes(array("q", sealing).tobytes())
    entries = root.size if whole else len(sealing)
    scope = Scope(
        root.name, root.size, root.root.hex(), "range" if whole else "picked", 0, root.size, entries
    )
    return Piece(root.log_id, root.kind, None, root.note, scope)


def _between(conn: Connected, log: PinnedLog, question: Question) -> tuple[int, int]:
    """The seqs of a time, with the entry before it and the one behind: they show that nothing is cut off."""

    def at(seq: int) -> int:
        found = exports.entries(conn, log.log_id, [seq])
        if not found:
            raise BundleError(f"entry {seq} of {log.name} is missing; run `reviewsvc audit verify`")
        return _read_at(found[0][1]).at

    seqs = range(log.size)
    first = bisect_left(seqs, question.since, key=at) if question.since is not None else 0
    behind = bisect_left(seqs, question.until, key=at) if question.until is not None else log.size
    return max(first - 1, 0), min(behind + 1, log.size)


def _terms(session: Session, keyring: Keyring, question: Question) -> dict[str, Any]:
    """What the queries of a question take."""
    since, until = question.since, question.until
    terms: dict[str, Any] = {
        "since": _EARLIEST if since is None else since,
        "until": _LATEST if until is None else until,
        "model": question.model,
        "reviewer": question.reviewer,
        "queue": question.queue,
    }
    if question.subject is not None:
        terms["subject"] = bytes.fromhex(question.subject)
    if question.prediction_id is not None:
        terms |= case_terms(session, keyring, question)
    return terms


def case_terms(session: Session, keyring: Keyring, question: Question) -> dict[str, Any]:
    """Return by what a case is found: `find`, and `ids`, the keyed hashes of all that its id names."""
    key, model, sent = keyring.hash_key(session, "prediction"), question.model or "", question.prediction_id
    find = sent_ids.place(key, Sent(model, sent or ""))
    if question.source is not None:
        ids = [id_hash(key, model, question.source, sent or "")]
    else:
        found = exports.predictions(Sessions.psycopg(session), model, find)
        ids = sorted({each.id_hash for each in found})
    return {"find": find, "ids": ids}


def subject_pseudonym(sessions: Sessions, keyring: Keyring, subject: str) -> str:
    """Return what stands for a subject in entries. QuestionError if there is nothing, or nothing any more."""
    try:
        with sessions.begin() as session:
            return subjects.key_of(session, keyring, subject).hex()
    except subjects.SubjectMissingError as error:
        raise QuestionError(str(error)) from error
