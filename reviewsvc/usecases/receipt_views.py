"""Receipts as a page and a program read them: any entry by its place, with its proof once it is sealed."""

from base64 import b64decode
from typing import Final, NamedTuple

from reviewsvc.crypto.notes import signature_lines
from reviewsvc.db import logs
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Ref, parse
from reviewsvc.usecases.receipts import NotSealedError, Prover, Receipt

_ID_BYTES: Final = 4


class Proved(NamedTuple):
    """What a proof rests on: the log's size, root hash and signatures, and the root log's entry."""

    size: int
    root: str
    hashes: int
    key_ids: tuple[str, ...]
    root_log: str
    root_seq: int
    root_size: int


class View(NamedTuple):
    """An entry's bytes with its receipt; None while it is not sealed."""

    log: str
    body: bytes
    receipt: Receipt | None
    proved: Proved | None


def view(sessions: Sessions, prover: Prover, log: int, seq: int) -> View:
    """Return an entry with its receipt. Raises LogMissingError."""
    with sessions.begin() as session:
        body = logs.one(session, log, seq)
        name = logs.names(session, [log])[log]
        if name.startswith("root/"):
            return View(name, body, None, None)
        try:
            made = prover.receipt(Sessions.psycopg(session), name, seq)
        except NotSealedError:
            return View(name, body, None, None)
    return View(name, body, made, _proved(made))


def of_name(sessions: Sessions, prover: Prover, place: Ref) -> View:
    """Return an entry of a log that is given by its name. Raises LogMissingError."""
    return view(sessions, prover, log_id(sessions, place.log), place.seq)


def log_id(sessions: Sessions, name: str) -> int:
    """Return the id of a log. Raises LogMissingError."""
    with sessions.begin() as session:
        return logs.find(session, name)


def sealed(found: View) -> Receipt:
    """Return the receipt of a view. Raises NotSealedError."""
    if found.receipt is None:
        raise NotSealedError(
            "This entry is not sealed yet, or is one of the root log: try again in a moment."
        )
    return found.receipt


def _proved(made: Receipt) -> Proved:
    size, root, hashes, key_ids = _read(made.mine.proof)
    root_entry = parse(made.root.entry)
    return Proved(
        size,
        root,
        hashes,
        key_ids,
        "/".join(root_entry.log.rsplit("/", 2)[-2:]),
        root_entry.seq,
        _read(made.root.proof)[0],
    )


def _read(proof: str) -> tuple[int, str, int, tuple[str, ...]]:
    head, _, note = proof.partition("\n\n")
    _, size, root = note.split("\n")[:3]
    key_ids = [_named(line) for line in signature_lines(note.encode())]
    return int(size), root, len(head.split("\n")) - 2, tuple(key_ids)


def _named(line: str) -> str:
    _, name, encoded = line.split()
    return f"{name}+{b64decode(encoded)[:_ID_BYTES].hex()}"
