"""The keys in use, unwrapped, and what is sealed and opened with them."""

import datetime as dt
import os
from collections import OrderedDict
from hashlib import sha256
from threading import Lock
from typing import Final, NamedTuple

from reviewsvc.crypto.envelope import RANDOM_BYTES, Cipher
from reviewsvc.crypto.kek import KEY_BYTES, WrapsKeys
from reviewsvc.db import erasures, generation, keys, logs
from reviewsvc.db.keys import WrappedDataKey, WrappedKey
from reviewsvc.db.logs import SealedPayload
from reviewsvc.db.sessions import Session
from reviewsvc.domain.entries import Entry, Payload
from reviewsvc.domain.moments import moment
from reviewsvc.domain.projections import Place

KEY_ID_BYTES: Final = 16
JSON: Final = "application/json"
_PAST: Final = "the payload is no longer kept: its time of retention has passed"


class KeyGoneError(LookupError):
    """The payload's key was destroyed: the subject was erased."""


class PayloadGoneError(LookupError):
    """The payload is no longer stored, or the entry never had one."""


class HashKeyMissingError(LookupError):
    """The installation has no key of this purpose: it was not opened yet."""


class DataKey(NamedTuple):
    """A payload key, ready for use."""

    key_id: bytes
    cipher: Cipher


class Keyring:
    """Unwraps keys and keeps the last used ones until the generation moves on; safe among threads."""

    def __init__(self, kek: WrapsKeys, *, capacity: int = 10_000) -> None:
        self._kek = kek
        self._capacity = capacity
        self._lock = Lock()
        self._generation = 0
        self._data: OrderedDict[bytes, Cipher] = OrderedDict()
        self._hash: dict[str, bytes] = {}

    def hash_key(self, session: Session, purpose: str) -> bytes:
        """Return the key of the keyed hashes of a purpose; it never changes."""
        known = self._hash.get(purpose)
        if known is None:
            stored = keys.of_purpose(session, purpose)
            if stored is None:
                raise HashKeyMissingError(
                    f"the installation has no key for {purpose}: start `web` or `worker`"
                )
            known = self._hash[purpose] = self._kek.unwrap(stored.wrapped)
        return known

    def make_hash_key(self, session: Session, purpose: str) -> bytes:
        """Make the key of a purpose and return its commitment, SHA-256 of the key."""
        key = os.urandom(KEY_BYTES)
        keys.add_of_purpose(session, purpose, WrappedKey(*self._kek.wrap(key)))
        return sha256(key).digest()

    def data_key(self, session: Session, key_id: bytes) -> DataKey:
        """Return a payload key. Raises KeyGoneError once it is destroyed."""
        self._follow(session)
        with self._lock:
            cipher = self._data.get(key_id)
            if cipher is not None:
                self._data.move_to_end(key_id)
                return DataKey(key_id, cipher)
        stored = keys.by_id(session, key_id)
        if stored is None:
            raise KeyGoneError("the key of this payload was destroyed: its subject was erased")
        return self._keep(stored)

    def cipher(self, wrapped: bytes) -> Cipher:
        """Unwrap a payload key that was read in bulk, without keeping it."""
        return Cipher(self._kek.unwrap(wrapped))

    def day_key(self, session: Session, log_id: int, at_us: int) -> DataKey:
        """Return the key of a log's day, made now if it is the first of that day."""
        day = moment(at_us).date()
        stored = keys.of_day(session, log_id, day) or self._made(session, log_id, day)
        return self._keep(stored)

    def seal(self, key: DataKey, payload: bytes, media: str = JSON) -> SealedPayload:
        """Encrypt a payload under a key."""
        sealed = key.cipher.seal(payload, os.urandom(RANDOM_BYTES))
        said = Payload(media, len(payload), sealed.commit.hex(), sealed.sha256.hex(), key.key_id.hex())
        return SealedPayload(said, sealed.ciphertext)

    def seal_for_day(self, session: Session, log_id: int, at_us: int, payload: bytes) -> SealedPayload:
        """Encrypt a JSON payload that is about no subject, under its log's key of the day."""
        return self.seal(self.day_key(session, log_id, at_us), payload)

    def seal_for_prediction(self, session: Session, prediction: Entry, payload: bytes) -> SealedPayload:
        """Encrypt a JSON payload about a case under the key of its prediction's payload.

        Raises KeyGoneError after an erasure: then what may still be said, without the producer's ids, inputs
        and notes, goes under `seal_for_day`.
        """
        if prediction.payload is None:
            raise PayloadGoneError("the prediction's entry has no payload")
        return self.seal(self.data_key(session, bytes.fromhex(prediction.payload.key)), payload)

    def open_payload(self, session: Session, entry: Entry, log_id: int | None = None) -> bytes:
        """Decrypt an entry's payload; `log_id`, where the caller knows it, saves a look-up.

        Raises KeyGoneError after an erasure, PayloadGoneError after retention, EnvelopeError if the stored
        bytes are not what the entry commits to.
        """
        if entry.payload is None:
            raise PayloadGoneError("the entry has no payload")
        if log_id is None:
            log_id = logs.find(session, logs.local_name(session, entry.log))
        key = self._opening_key(session, entry, bytes.fromhex(entry.payload.key), log_id)
        stored = logs.ciphertext(session, Place(log_id, entry.seq, entry.at))
        if stored is None:
            raise PayloadGoneError(_PAST)
        return key.cipher.open(stored, bytes.fromhex(entry.payload.commit))

    def _opening_key(self, session: Session, entry: Entry, key_id: bytes, log_id: int) -> DataKey:
        try:
            return self.data_key(session, key_id)
        except KeyGoneError as error:
            # Keys of days go with the last payload that needs them: that one is told by its payload.
            place = Place(log_id, entry.seq, entry.at)
            if erasures.is_erased(session, key_id) or logs.ciphertext(session, place) is not None:
                raise
            raise PayloadGoneError(_PAST) from error

    def _made(self, session: Session, log_id: int, day: dt.date) -> WrappedDataKey:
        made = WrappedDataKey(os.urandom(KEY_ID_BYTES), *self._kek.wrap(os.urandom(KEY_BYTES)))
        keys.add_of_day(session, made, log_id, day)
        kept = keys.of_day(session, log_id, day)
        assert kept is not None
        return kept

    def _keep(self, stored: WrappedDataKey) -> DataKey:
        key_id = bytes(stored.key_id)
        with self._lock:
            cipher = self._data.get(key_id)
            if cipher is None:
                cipher = self._data[key_id] = Cipher(self._kek.unwrap(bytes(stored.wrapped)))
            self._data.move_to_end(key_id)
            if len(self._data) > self._capacity:
                self._data.popitem(last=False)
        return DataKey(key_id, cipher)

    def _follow(self, session: Session) -> None:
        # An erasure bumps the generation as it ends the key: no later transaction may use a cached copy.
        current = generation.current(session)
        with self._lock:
            if current != self._generation:
                self._data.clear()
                self._generation = current
