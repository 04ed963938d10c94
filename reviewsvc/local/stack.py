"""PostgreSQL and Kafka on this machine, whichever of the two is not given."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewsvc.local.kafka import Kafka
from reviewsvc.local.postgres import Postgres
from reviewsvc.local.standing import Standing
from reviewsvc.local.terminal import say as say_on_stderr


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
    say: Callable[[str], None] = say_on_stderr,
) -> Iterator[Stack]:
    """Start what is not given, side by side, with its data in `folder`; stop it when the block ends.

    What exits meanwhile is started again at the same address, with a line to `say`.
    Raises PostgresMissingError, PostgresFailedError, KafkaUnavailableError or FolderInUseError.
    """

    def postgres(before: Postgres | None) -> AbstractContextManager[Postgres]:
        port = {"port": before.port} if before else {}
        return Postgres.start(folder / "postgres", settings={**(postgres_settings or {}), **port})

    def kafka(before: Kafka | None) -> AbstractContextManager[Kafka]:
        addresses = before.addresses if before else None
        return Kafka.start(folder / "kafka", properties=kafka_properties, addresses=addresses)

    with ExitStack() as ends, ThreadPoolExecutor(2) as pool:
        database = pool.submit(_url, ends, owner_url, Standing("PostgreSQL", postgres, say))
        broker = pool.submit(_address, ends, bootstrap_servers, Standing("Kafka", kafka, say))
        yield Stack(database.result(), broker.result())


def _url(ends: ExitStack, given: str | None, standing: Standing[Postgres]) -> str:
    return given or ends.enter_context(standing).server.owner_url


def _address(ends: ExitStack, given: str | None, standing: Standing[Kafka]) -> str:
    return given or ends.enter_context(standing).server.bootstrap_servers
