"""What is away just now: said once when it goes, once when it is back, and to whoever asks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from kafka.errors import KafkaError

from consumers.broker import TopicError
from consumers.reader import RereadError
from reviewsvc import telemetry

DATABASE: Final = "the database"
KAFKA: Final = "kafka"
TOPIC: Final = "a topic"
INSTALLATION: Final = "the installation"
KAFKA_ERRORS: Final = (KafkaError, TopicError, RereadError)
_log = telemetry.logger("capture")


def whose(fault: BaseException) -> str:
    """Say what a failed call to the brokers speaks against."""
    return TOPIC if isinstance(fault, TopicError) else KAFKA


@dataclass(slots=True)
class _Away:
    reason: str
    since: float
    last: float


class Troubles:
    """What is away, each with its reason and since when; `clock` tells seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away: dict[str, _Away] = {}

    def met(self, what: str, fault: BaseException | str) -> None:
        """Note that something failed again; the log hears of it when it is new, or says something new."""
        now, reason = self._clock(), _told(fault)
        away = self._away.get(what)
        if away is None or away.reason != reason:
            _log.error(f"{what} is away", reason=reason)
        self._away[what] = _Away(reason, away.since if away else now, now)

    def last(self, what: str) -> float | None:
        """When it failed last; None if all is well."""
        away = self._away.get(what)
        return away.last if away else None

    def over(self, what: str) -> bool:
        """Note that it works; if it was away, the log says for how long. Says whether it was."""
        away = self._away.pop(what, None)
        if away is not None:
            _log.info(f"{what} is back", seconds=round(self._clock() - away.since, 1))
        return away is not None

    def reasons(self, beyond_seconds: float) -> Sequence[str]:
        """What has been away for longer than this."""
        ages = [(what, away, self._clock() - away.since) for what, away in list(self._away.items())]
        return [
            f"{what} has been away for {age:.0f} s: {away.reason}"
            for what, away, age in ages
            if age > beyond_seconds
        ]


def _told(fault: BaseException | str) -> str:
    """What failed, in the server's own words but without the row that it was about."""
    if isinstance(fault, psycopg.Error) and fault.diag.message_primary:
        return f"{fault.diag.message_primary} ({fault.sqlstate})"
    return str(fault).strip() or type(fault).__name__
