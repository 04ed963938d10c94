"""The documents under which a task was made: contracts, policies and queues, read once per version."""

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import msgspec

from reviewsvc.db import versions
from reviewsvc.db.sessions import Session
from reviewsvc.domain.contract import Contract, read_contract
from reviewsvc.domain.policy import Policy, read_policy
from reviewsvc.domain.queue import Queue, read_queue

_Read = TypeVar("_Read")


class Terms:
    """Documents by kind, name and version; a version never changes, so that each is read once a process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Any] = {}
        self._lock = Lock()

    def contract(self, session: Session, model: str, version: int) -> Contract:
        """Return a version of a model's contract."""
        return self._get(session, ("contract", model, version), read_contract)

    def policy(self, session: Session, model: str, version: int | None) -> Policy | None:
        """Return a version of a model's policy; None if there was none."""
        return None if version is None else self._get(session, ("policy", model, version), read_policy)

    def queue(self, session: Session, name: str, version: int) -> Queue:
        """Return a version of a queue's document."""
        return self._get(session, ("queue", name, version), read_queue)

    def _get(self, session: Session, key: tuple[str, str, int], read: Callable[[object], _Read]) -> _Read:
        with self._lock:
            found: _Read | None = self._known.get(key)
        if found is None:
            found = read(msgspec.json.decode(versions.body(session, *key)))
            with self._lock:
                self._known[key] = found
        return found
