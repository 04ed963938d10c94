"""Checks what anchors gave: witnesses' signatures on our checkpoints, and time stamps of their bytes."""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from reviewsvc.crypto import time_stamps
from reviewsvc.crypto.cosignatures import opened
from reviewsvc.crypto.notes import NoteError, parse_verifier
from reviewsvc.crypto.time_stamps import TimeStampError
from reviewsvc.db.hot import anchored
from reviewsvc.db.hot.anchored import Cosigned, Stamp
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.moments import moment
from reviewsvc.domain.witness_policy import Policy


class Wrong(NamedTuple):
    """What does not hold: of which root log, at which size, and why."""

    root_log_id: int
    size: int
    what: str


def remarks(conn: Connected) -> list[str]:
    """Say since when no anchor has what is signed, if none has."""
    since = anchored.unanchored_since(conn)
    return [] if since is None else [f"UNANCHORED-SINCE {moment(since):%Y-%m-%dT%H:%M:%SZ}"]


def cosigned_up_to(conn: Connected, policy: Policy) -> int | None:
    """Return up to which size the newest root log is cosigned as a policy asks; None if at none."""
    wanted = {each.vkey for each in policy.witnesses}
    newest = anchored.newest_root_id(conn)
    held: dict[int, set[str]] = {0: set()}
    for cosigned, note in anchored.cosignatures(conn):
        if cosigned.root_log_id == newest and cosigned.vkey in wanted and not _wrong_line(cosigned, note):
            held.setdefault(cosigned.size, set()).add(cosigned.vkey)
    return max((size for size, vkeys in held.items() if policy.is_met(vkeys)), default=None)


def check(conn: Connected) -> Iterator[Wrong]:
    """Yield each cosignature and time stamp that does not hold on the checkpoint that is stored.

    A time stamp is held against its hash and the checkpoint's bytes here; who signed it needs the authority's
    certificate, and is checked when the answer comes, and by `openssl ts -verify`.
    """
    for cosigned, note in anchored.cosignatures(conn):
        what = _wrong_line(cosigned, note)
        if what:
            yield Wrong(cosigned.root_log_id, cosigned.size, what)
    for stamp in anchored.stamps(conn):
        what = _wrong_stamp(stamp)
        if what:
            yield Wrong(stamp.root_log_id, stamp.size, what)


def _wrong_line(cosigned: Cosigned, note: str | None) -> str:
    if note is None:
        return f"a witness cosigned {cosigned.size} entries, and that checkpoint is missing"
    try:
        opened(parse_verifier(cosigned.vkey), note.rpartition("\n\n")[0] + "\n", cosigned.line)
    except NoteError as fault:
        return f"the cosignature of {cosigned.vkey} is not one of the checkpoint that is stored: {fault}"
    return ""


def _wrong_stamp(stamp: Stamp) -> str:
    if stamp.note is None:
        return f"an authority stamped {stamp.size} entries, and that checkpoint is missing"
    if stamp.answer is None or sha256(stamp.answer).digest() != stamp.sha256:
        return "its time stamp is missing, or is not the one whose hash the entry has"
    try:
        time_stamps.imprinted(stamp.note.encode(), bytes(stamp.answer))
    except TimeStampError as fault:
        return f"its time stamp is not about the checkpoint that is stored: {fault}"
    return ""
