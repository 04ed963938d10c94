"""What every act on tasks works with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from reviewsvc.db import generation
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.terms import Terms


@dataclass(frozen=True, slots=True)
class Desk:
    """Where tasks are, the keys to their payloads, and how long things last where a queue does not say."""

    sessions: Sessions
    keyring: Keyring
    terms: Terms = field(default_factory=Terms)
    lease: timedelta = timedelta(minutes=10)
    undo: timedelta = timedelta(minutes=10)

    @contextmanager
    def work(self, actor: Actor | None, at: datetime) -> Iterator["Work"]:
        """Do a piece of work in one transaction, under the generation that stands while it runs."""
        with self.sessions.begin() as session:
            generation.share(session)
            yield Work(session, self, actor, at)


class Work(NamedTuple):
    """A transaction that somebody's act runs in: at which desk, by whom (None is the service), and when."""

    session: Session
    desk: Desk
    actor: Actor | None
    at: datetime

    @property
    def clock(self) -> int:
        """The time in microseconds."""
        return microseconds(self.at)
