"""Payload keys for whoever builds batches: cached, and made before the batch where one is missing."""

import datetime as dt
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from reviewsvc.crypto.envelope import Cipher
from reviewsvc.crypto.kek import KEY_BYTES, WrapsKeys
from reviewsvc.db.hot import keys
from reviewsvc.db.hot.connection import Connected

Day = tuple[int, dt.date]
_MOST_CACHED = 20_000
_ID_BYTES = 16


class PayloadKey(NamedTuple):
    """A key ready for use; its id is what entries carry, for a subject's key the pseudonym."""

    key_id: bytes
    cipher: Cipher


class PayloadKeys:
    """Keys of subjects and of days; `forget` when the generation moves: an erasure destroys keys."""

    def __init__(self, kek: WrapsKeys) -> None:
        self._kek = kek
        self._subjects: OrderedDict[bytes, PayloadKey] = OrderedDict()
        self._days: dict[Day, PayloadKey] = {}

    def forget(self) -> None:
        """Drop what is cached."""
        self._subjects.clear()
        self._days.clear()

    def ensure(self, conn: Connected, subjects: Collection[bytes], days: Collection[Day]) -> None:
        """Have the keys of these subjects (keyed hashes) and days at hand, making those that do not exist.

        Uses transactions of its own, before the batch's: whoever made a key first, all use that one.
        """
        self._trim(len(subjects))
        missing = [subject for subject in subjects if subject not in self._subjects]
        if missing:
            self._take(keys.of_subjects(conn, missing))
            missing = [subject for subject in missing if subject not in self._subjects]
        lacking = [day for day in days if day not in self._days]
        # A key that an erasure destroys between making and reading it is made once more.
        while missing or lacking:
            self._make(conn, missing, lacking)
            missing = [subject for subject in missing if subject not in self._subjects]
            lacking = [day for day in lacking if day not in self._days]

    def subject(self, subject: bytes) -> PayloadKey:
        """A subject's key, which `ensure` has brought."""
        return self._subjects[subject]

    def day(self, log_id: int, day: dt.date) -> PayloadKey:
        """A log's key of a day, which `ensure` has brought."""
        return self._days[log_id, day]

    def own(self, conn: Connected, count: int) -> list[PayloadKey]:
        """Make keys that are for one payload each."""
        if count == 0:
            return []
        made = [self._new() for _ in range(count)]
        keys.add(conn, [key for key, _ in made])
        return [ready for _, ready in made]

    def _make(self, conn: Connected, subjects: list[bytes], days: list[Day]) -> None:
        made = [self._new(subject=subject) for subject in subjects]
        made += [self._new(log_id=log_id, day=day) for log_id, day in days]
        kept = keys.add(conn, [key for key, _ in made])
        self._keep((key, ready) for key, ready in made if key.key_id in kept)
        beaten = [subject for subject in subjects if subject not in self._subjects]
        if beaten:
            self._take(keys.of_subjects(conn, beaten))
        if any(day not in self._days for day in days):
            self._take(keys.of_days(conn, [log_id for log_id, _ in days], [day for _, day in days]))

    def _new(
        self, *, subject: bytes | None = None, log_id: int | None = None, day: dt.date | None = None
    ) -> tuple[keys.DataKey, PayloadKey]:
        key_id, key = os.urandom(_ID_BYTES), os.urandom(KEY_BYTES)
        made = keys.DataKey(key_id, *self._kek.wrap(key), subject, log_id, day)
        return made, PayloadKey(key_id, Cipher(key))

    def _ready(self, key: keys.DataKey) -> PayloadKey:
        return PayloadKey(key.key_id, Cipher(self._kek.unwrap(key.wrapped)))

    def _take(self, found: Iterable[keys.DataKey]) -> None:
        self._keep((key, self._ready(key)) for key in found)

    def _keep(self, known: Iterable[tuple[keys.DataKey, PayloadKey]]) -> None:
        for key, ready in known:
            if key.subject is not None:
                self._subjects[key.subject] = ready
            elif key.log_id is not None and key.day is not None:
                self._days[key.log_id, key.day] = ready

    def _trim(self, coming: int) -> None:
        while len(self._subjects) + coming > _MOST_CACHED and self._subjects:
            self._subjects.popitem(last=False)
