"""Judges signed notes: by keys of the logged history that were good at the time, and by keys from outside."""

from collections.abc import Collection, Iterable, Sequence

from msgspec.json import decode

from reviewsvc.crypto.notes import ED25519, NoteError, Verifier, open_note
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db.hot import scan
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain import facts as f
from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError, parse_checkpoint
from reviewsvc.domain.entries import parse
from reviewsvc.domain.moments import moment
from reviewsvc.domain.projections import Place, SigningKeyRow, signing_key_row
from reviewsvc.domain.verdict import Findings
from reviewsvc.usecases.key_history import SigningKey, read_history

# A key whose end is near signs no more, and one that was just announced need not sign yet.
_MARGIN_US = 60_000_000


class NoteFaultError(ValueError):
    """A note is not what it should be; the text says why."""


class NoteCheck:
    """The keys of an installation, as their history tells, and which of them are believed from outside."""

    def __init__(self, origin: str, history: Sequence[SigningKey], given: Collection[bytes] | None) -> None:
        """Take up the history; `given` are public keys that were had elsewhere, None if none were."""
        self._origin, self._history, self._given = origin, history, given
        self._named: dict[str, dict[bytes, tuple[Verifier, SigningKey]]] = {}

    @property
    def is_signing(self) -> bool:
        """Say whether there ever was a signing key."""
        return bool(self._history)

    def check(self, log: str, claim: tuple[int, bytes], note: str, at: int) -> bool:
        """Check a log's note over (size, root), signed at a moment; say whether a key from outside signed it.

        Raises NoteFaultError.
        """
        known = self._keys(log)
        try:
            opened = open_note(note.encode(), [verifier for verifier, _ in known.values()])
            said = parse_checkpoint(opened.text)
        except (NoteError, CheckpointError) as fault:
            raise NoteFaultError(str(fault)) from fault
        if said != Checkpoint(f"{self._origin}/{log}", *claim):
            raise NoteFaultError(f"its note is of {said.origin}, {said.size} entries, root {said.root.hex()}")
        signers = {each.key_id for each in opened.signatures}
        for key_id in sorted(known, key=lambda each: each not in signers):
            _check_time(*known[key_id], at, has_signed=key_id in signers)
        given = self._given or ()
        return any(known[key_id][0].key in given for key_id in signers)

    def _keys(self, log: str) -> dict[bytes, tuple[Verifier, SigningKey]]:
        """The keys that may stand under a log's notes; second ones under the root log's alone."""
        if log not in self._named:
            is_root = log.startswith("root/")
            keys = [(named(key.verifier, log), key) for key in self._history if is_root or not key.is_second]
            self._named[log] = {verifier.key_id: (verifier, key) for verifier, key in keys}
        return self._named[log]


def _check_time(verifier: Verifier, key: SigningKey, at: int, *, has_signed: bool) -> None:
    name = f"{verifier.name}+{verifier.key_id.hex()}"
    if has_signed and not key.is_good(at):
        end = "on" if key.valid_until is None else f"until {_when(key.valid_until)}"
        told = f"{name} signed it at {_when(at)}, and is good from {_when(key.valid_from)} {end}"
        raise NoteFaultError(told)
    if not has_signed and key.is_good(at - _MARGIN_US, at + 2 * _MARGIN_US):
        raise NoteFaultError(f"the signature of {name}, which was to sign at {_when(at)}, is missing")


def _when(at_us: int) -> str:
    """Write a moment, also one that no calendar has."""
    try:
        return str(moment(at_us))
    except OverflowError:
        return f"{at_us} µs"


def logged_history(conn: Connected, findings: Findings) -> list[SigningKey]:
    """Read what the entries say of signing keys, and note rows that say otherwise."""
    return read_history(_said(conn, findings))


def _said(conn: Connected, findings: Findings) -> Iterable[SigningKeyRow]:
    for row in stored.keys(conn):
        try:
            ((_, body),) = scan.entries(conn, row.log_id, range(row.seq, row.seq + 1))
            entry = parse(body)
            said = decode(entry.facts, type=f.SigningKey)
            told = signing_key_row(Place(row.log_id, row.seq, entry.at), said)
            list(read_history([told]))
        except (ValueError, NoteError) as fault:
            findings.note(row.seq, f"a row of signing_key names an entry that says nothing of a key: {fault}")
            continue
        if told != row or entry.kind != "signing_key":
            findings.note(row.seq, f"the row of signing_key for {row.vkey[:80]} differs from its entry")
        yield told


def public_keys(verifiers: Iterable[Verifier], origin: str) -> set[bytes]:
    """The Ed25519 keys among these that are named for an origin or for a log of it."""
    return {
        each.key
        for each in verifiers
        if each.kind == ED25519 and (each.name == origin or each.name.startswith(f"{origin}/"))
    }
