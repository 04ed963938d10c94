"""Wraps all keys with another key-encryption key, in batches, while the service goes on."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from reviewsvc.crypto.kek import WrapsKeys
from reviewsvc.db import keys
from reviewsvc.db.keys import WrappedDataKey, WrappedKey, Wraps
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring

BATCH: Final = 1_000
_ABOUT: Final = "kek"
Progress = Callable[[int, int], None]


class KekInUseError(RuntimeError):
    """A key-encryption key cannot go: it wraps keys, or would wrap the next."""


class Rotated(NamedTuple):
    """The KEK that wraps now, and how many keys were wrapped anew."""

    kek_id: str
    data_keys: int
    hash_keys: int


def state(sessions: Sessions) -> list[Wraps]:
    """Return how many keys each KEK wraps."""
    with sessions.begin() as session:
        return keys.wraps(session)


def rotate(
    sessions: Sessions,
    keyring: Keyring,
    kek: WrapsKeys,
    *,
    actor: Actor,
    at: datetime,
    progress: Progress = lambda _done, _of: None,
) -> Rotated:
    """Make a new KEK and wrap all keys with it; what was interrupted goes on with the KEK that it had made.

    Raises KekError if the KEKs are managed elsewhere and the new one is not the first of them yet.
    """
    if not _stale(sessions, kek.kek_ids()[0]):
        kek.renew()
    current = kek.kek_ids()[0]
    wanted = sum(one.data_keys for one in _stale(sessions, current))
    data = 0
    # Until a process has seen the new KEK it wraps with the old one: once more, until nothing is left. Who
    # rotates at the same time may have made a newer one: then both go on with that, not against each other.
    while moved := _pass(sessions, kek, data, lambda done: progress(done, wanted)):
        data += moved
    current = kek.kek_ids()[0]
    with sessions.begin() as session:
        stale = keys.stale_hash_keys(session, current)
        for purpose, wrapped in stale:
            keys.rewrap_hash_key(session, purpose, WrappedKey(*kek.wrap(kek.unwrap(wrapped))))
        keys.want_sweep(session, at)
        said = Said("kek_rotated", sf.KekRotated(current, data, len(stale)), about=_ABOUT)
        record(session, keyring, [said], actor=actor, at=at)
    return Rotated(current, data, len(stale))


def retire(sessions: Sessions, kek: WrapsKeys) -> list[str]:
    """Stop using every KEK but the first, and return their ids. Raises KekInUseError, KekError."""
    current, *former = kek.kek_ids()
    stale = _stale(sessions, current)
    if stale:
        count = sum(one.data_keys + one.hash_keys for one in stale)
        raise KekInUseError(f"{count} keys are wrapped by another KEK: `reviewsvc keys rotate-kek` first")
    for kek_id in former:
        kek.retire(kek_id)
    return former


def _stale(sessions: Sessions, current: str) -> list[Wraps]:
    return [one for one in state(sessions) if one.kek_id != current]


def _pass(sessions: Sessions, kek: WrapsKeys, before: int, progress: Callable[[int], None]) -> int:
    """Go through all payload keys once, a batch a transaction; return how many were wrapped anew."""
    done, after = 0, b""
    while True:
        with sessions.begin() as session:
            moved = _batch(session, kek, kek.kek_ids()[0], after)
        if not moved:
            return done
        done, after = done + len(moved), moved[-1].key_id
        progress(before + done)


def _batch(session: Session, kek: WrapsKeys, current: str, after: bytes) -> list[WrappedDataKey]:
    stale = keys.stale_data_keys(session, current, after, BATCH)
    made = [WrappedDataKey(key_id, *kek.wrap(kek.unwrap(wrapped))) for key_id, wrapped in stale]
    if made:
        keys.rewrap_data_keys(session, made)
    return made
