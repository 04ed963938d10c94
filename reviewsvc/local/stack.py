"""PostgreSQL and Kafka on this machine, whichever of the two is not given."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewsvc.local.kafka import Kafka
from reviewsvc.local.postgres import Postgres


@dataclass(frozen=True)
class Stack:
    """Where the database (as its owner) and the broker are."""

    owner_url: str
    bootstrap_servers: str


@contextmanager
def local_stack(
    folder: Path,
    *,
    owner_url: str | None = None,
    bootstrap_servers: str | None = None,
    postgres_settings: Mapping[str, str | int] | None = None,
    kafka_properties: Mapping[str, str | int] | None = None,
) -> Iterator[Stack]:
    """Start what is not given, side by side, with its data in `folder`; stop it when the block ends.

    Raises PostgresMissingError, PostgresFailedError, KafkaUnavailableError or FolderInUseError.
    """
    with ExitStack() as ends, ThreadPoolExecutor(2) as pool:
        database = pool.submit(
            _url, ends, owner_url, lambda: Postgres.start(folder / "postgres", settings=postgres_settings)
        )
        broker = pool.submit(
            _address,
            ends,
            bootstrap_servers,
            lambda: Kafka.start(folder / "kafka", properties=kafka_properties),
        )
        yield Stack(database.result(), broker.result())


def _url(ends: ExitStack, given: str | None, start: Callable[[], AbstractContextManager[Postgres]]) -> str:
    return given or ends.enter_context(start()).owner_url


def _address(ends: ExitStack, given: str | None, start: Callable[[], AbstractContextManager[Kafka]]) -> str:
    return given or ends.enter_context(start()).bootstrap_servers
