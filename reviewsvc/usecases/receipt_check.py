"""Checks a receipt that somebody brings, by the same code that outsiders run, and says what it proves."""

import re
from typing import Any, Final, NamedTuple

from reviewsvc import verify as outsiders
from reviewsvc.crypto.notes import ED25519
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db import installations
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.usecases.signing_keys import history

LONGEST: Final = 160_000
# A receipt has two parts, of two logs, each signed by some keys and witnesses; more costs time to check.
_MOST_PARTS, _MOST_LOGS, _MOST_SIGNATURES = 2, 8, 64
_SIGNATURE: Final = "\n\N{EM DASH} "
_HEADER: Final = "c2sp.org/tlog-proof@v1"
_LOG: Final = re.compile(r'"log":"([^"\\]{1,300})"')
_PARTS: Final = re.compile(rb"(?<=\n)(?=\{)")

_UNPROVED: Final = (
    "that what the producer sent was true, or that it sent everything",
    (
        "what the encrypted payload says: the entry only commits to it; whoever has the payload and its salt "
        "can show it"
    ),
    "that everybody is shown the same log: cosignatures of witnesses tell, with reviewsvc-verify --policy",
)
_OURS: Final = (
    "Whoever runs this page also keeps the log. To depend on nobody, run reviewsvc-verify on your own "
    "machine, "
    "with verifier keys that you have from elsewhere."
)


class UnreadableError(ValueError):
    """What was pasted is no receipt; the text says what one looks like."""


class Checked(NamedTuple):
    """A verdict (VERIFIED, TAMPERED, INCOMPLETE) in a sentence; what is shown, and what is not."""

    verdict: str
    words: str
    shown: list[str]
    unproved: list[str]
    remark: str = _OURS


def check(sessions: Sessions, pasted: str, entry: str = "") -> Checked:
    """Check a receipt, or a tlog-proof with its entry's bytes. Raises UnreadableError."""
    text, body = _plain(pasted), _plain(entry).removesuffix("\n")
    if not text:
        raise UnreadableError("Paste a receipt: the text of a .receipt or .tlog-proof file.")
    if len(text) + len(body) > LONGEST:
        raise UnreadableError("This is too long for a receipt, which has a few thousand characters.")
    if not text.startswith(("{", f"{_HEADER}\n")):
        raise UnreadableError(
            'This is no receipt. A .receipt file begins with the entry, {"v":1,…; a .tlog-proof file begins '
            f"with {_HEADER}. Paste all of it, from its first character to its last line."
        )
    if _is_crowded(text):
        raise UnreadableError(
            "This is no one receipt: it has more parts or signatures than any. Paste one receipt at a time."
        )
    with sessions.begin() as session:
        try:
            return _checked(session, text, body)
        except outsiders.MissingError as error:
            return Checked("INCOMPLETE", f"This cannot be judged: {error}.", [], [*_UNPROVED])
        except (ValueError, RecursionError) as error:
            return Checked("TAMPERED", f"This does not hold: {error}.", [], [*_UNPROVED])


def _is_crowded(text: str) -> bool:
    return (
        len(_PARTS.findall(text.encode())) >= _MOST_PARTS
        or text.count(_SIGNATURE) > _MOST_SIGNATURES
        or len(set(_LOG.findall(text))) > _MOST_LOGS
    )


def _checked(session: Session, text: str, body: str) -> Checked:
    if text.startswith(_HEADER):
        if not body:
            return _without_entry(session, text)
        text = f"{body}\n{text}"
    trust = outsiders.Trust(_keys(session, text), None)
    outsiders.check_receipt(text.encode(), trust)
    shown: list[str] = []
    for part in _PARTS.split(text.encode()):
        said, checkpoint, _, _ = outsiders.read_proved(part, trust)
        shown += _told(said, checkpoint)
        doubt = _doubt(session, checkpoint)
        if doubt:
            return doubt
    unproved = [*_UNPROVED]
    if len(_PARTS.split(text.encode())) == 1:
        unproved.append(
            "that the root log, which is what leaves the house, seals this log: a .receipt shows that"
        )
    return Checked("VERIFIED", "This receipt holds: the entry stands in the log, unchanged.", shown, unproved)


def _without_entry(session: Session, text: str) -> Checked:
    index, _, signed, _ = outsiders.parse_proof(text.encode())
    name = signed.partition(b"\n")[0].decode("utf-8", "replace")
    checkpoint, _ = outsiders.Trust(_keys(session, f'"log":"{name}"'), None).open(name, signed)
    words = (
        "Its checkpoint is signed, but a proof without its entry proves nothing: paste the bytes of entry "
        f"{index} "
        f"of {checkpoint.origin} too."
    )
    return Checked("INCOMPLETE", words, [], [*_UNPROVED])


def _keys(session: Session, text: str) -> list[outsiders.Key]:
    """This installation's keys, under the names of the logs that the receipt speaks of."""
    held = installations.get(session)
    origin = held.origin if held else ""
    logs = {name for name in _LOG.findall(text) if name.startswith(f"{origin}/")}
    if not logs:
        told = (
            f"it is of no log of {origin}; take it to whoever gave it to you, with the keys that you have "
            "of them"
        )
        raise outsiders.MissingError(told)
    own = [key.verifier for key in history(session) if key.verifier.kind == ED25519]
    under = [named(key, name.removeprefix(f"{origin}/")) for key in own for name in logs]
    return [outsiders.Key(key.name, key.kind, key.key) for key in under]


def _told(said: dict[str, Any], checkpoint: outsiders.Checkpoint) -> list[str]:
    if said["kind"] == "checkpoint":
        sealed = said["facts"]
        words = (
            f"Entry {said['seq']} of {checkpoint.origin} seals {sealed['log']} at {sealed['size']:,} "
            "entries; "
            f"the root log had {checkpoint.entries:,} entries when that was signed."
        )
        return [words]
    return [
        f"Entry {said['seq']} of {checkpoint.origin}, of the kind {said['kind']}, is exactly these bytes.",
        f"It stood there when the log had {checkpoint.entries:,} entries, signed by a key of this service.",
    ]


def _doubt(session: Session, checkpoint: outsiders.Checkpoint) -> Checked | None:
    """What speaks against a checkpoint that is well signed: the log as it stands here is another one."""
    held = installations.get(session)
    name = checkpoint.origin.removeprefix(f"{held.origin}/" if held else "")
    conn = Sessions.psycopg(session)
    log = stored.sealed_log(conn, name)
    mine = stored.checkpoint(conn, log.log_id, checkpoint.entries) if log else None
    if mine is None:
        words = (
            f"It is well signed, but {name} has no checkpoint of {checkpoint.entries:,} entries here: was "
            "a restore "
            "adopted since? Keep the receipt, and ask whoever runs the service."
        )
        return Checked("INCOMPLETE", words, [], [*_UNPROVED])
    if bytes(mine.root) != checkpoint.root:
        words = (
            f"It is well signed, yet {name} at {checkpoint.entries:,} entries has another root hash here: "
            "the log was "
            "rewritten. Keep the receipt: it is the proof."
        )
        return Checked("TAMPERED", words, [], [*_UNPROVED])
    return None


def _plain(text: str) -> str:
    """Undo what forms and mails do to a text's ends and line breaks."""
    found = text.replace("\r\n", "\n").strip()
    return f"{found}\n" if found else ""


def root_keys(sessions: Sessions) -> list[str]:
    """Return the verifier keys of the root log, the newest first; those of other logs only differ in name."""
    with sessions.begin() as session:
        own = [key.verifier for key in history(session) if key.verifier.kind == ED25519]
        return [named(key, "root/0").text() for key in own]
