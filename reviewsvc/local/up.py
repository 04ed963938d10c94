"""The whole service on this machine: database, broker and processes, running while a block lasts."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consumers import topics
from reviewsvc.config import Settings
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db import logins, schema
from reviewsvc.db.sessions import Sessions
from reviewsvc.local import processes
from reviewsvc.local.children import Keeper
from reviewsvc.local.datafolder import DataFolder
from reviewsvc.local.folders import last_lines
from reviewsvc.local.signing import with_signing_key
from reviewsvc.local.stack import Stack, local_stack
from reviewsvc.local.terminal import say as say_on_stderr
from reviewsvc.usecases.guarding import UnconfirmedError
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring

READY_SECONDS = 90
HOPELESS_FAILURES = 5
_USUAL = Settings()

Say = Callable[[str], None]


class NotReadyError(Exception):
    """A process of the service did not become ready; the text shows the end of its log."""


class OwnerMissingError(Exception):
    """A database is given without its owner's address."""


@dataclass(frozen=True)
class Service:
    """A running service, as who started it has it."""

    settings: Settings
    owner_url: str
    folder: DataFolder
    keeper: Keeper
    sessions: Sessions
    keyring: Keyring


@contextmanager
def running(
    settings: Settings, folder: DataFolder, *, say: Say = say_on_stderr, echo: bool = False
) -> Iterator[Service]:
    """Start what is not given, prepare it, and run every process until the block ends; then stop all.

    What the settings leave open (addresses, keys, origin) is made, and kept in the folder for the next
    start. Raises NotReadyError, OwnerMissingError and what the parts raise, each with a text that helps.
    """
    if settings.database_url and not settings.database_owner_url:
        raise OwnerMissingError(
            "DATABASE_URL is set and DATABASE_OWNER_URL is not: set it too, since the tables are made as "
            "the database's owner; or unset both and a database is started here"
        )
    with ExitStack() as ends:
        ends.enter_context(folder.in_use())
        stack = ends.enter_context(_stack(settings, folder, say))
        whole = _prepared(settings, folder, stack, say)
        sessions = Sessions(whole.database_url, "web", size=4)
        ends.callback(sessions.close)
        keyring = Keyring(open_keks(file=whole.kek_file, text=whole.keks, kms=whole.kms))
        shards = whole.activity_shards
        # Where it was opened before, the worker looks at it first, and the others wait for that.
        with suppress(UnconfirmedError):
            open_installation(sessions, keyring, whole.origin, datetime.now(UTC), activity_logs=shards)
        whole = with_signing_key(whole, folder, keyring)
        keeper = ends.enter_context(Keeper(processes.children(whole), folder.logs, echo=echo, say=say))
        _await_ready(keeper, folder, say)
        told = {**processes.environment(whole), **processes.signing(whole)}
        folder.write_environment({**told, "REVIEWSVC_URL": whole.public_url})
        ends.callback(say, "Stopping …")
        yield Service(whole, stack.owner_url, folder, keeper, sessions, keyring)


@contextmanager
def _stack(settings: Settings, folder: DataFolder, say: Say) -> Iterator[Stack]:
    given = settings.kafka.bootstrap_servers
    missing = [
        name
        for name, url in (("PostgreSQL", settings.database_owner_url), ("Apache Kafka", given))
        if not url
    ]
    began = time.monotonic()
    if missing:
        say(f"Starting {' and '.join(missing)} …")
    with local_stack(
        folder.path,
        owner_url=settings.database_owner_url or None,
        bootstrap_servers=",".join(given) or None,
        say=say,
    ) as stack:
        if missing:
            say(f"{' and '.join(missing)} ready after {time.monotonic() - began:.1f} s.")
        yield stack


def _prepared(settings: Settings, folder: DataFolder, stack: Stack, say: Say) -> Settings:
    """Make tables, log-in, keys and topics, and return the settings with nothing left open."""
    say("Preparing tables, keys and topics …")
    schema.upgrade(stack.owner_url)
    kafka = replace(settings.kafka, bootstrap_servers=tuple(stack.bootstrap_servers.split(",")))
    topics.create(kafka)
    port = settings.port
    return replace(
        settings,
        kafka=kafka,
        database_url=_process_url(settings, folder, stack),
        database_owner_url="",
        logs_open=True,
        origin=_chosen(settings.origin, _USUAL.origin, lambda: folder.kept("origin", _new_origin)),
        kek_file="" if settings.keks or settings.kms else settings.kek_file or str(folder.kek_file()),
        secret_key=settings.secret_key or folder.secret("secret-key"),
        data_dir=folder.path,
        public_url=_chosen(settings.public_url, _USUAL.public_url, lambda: f"http://127.0.0.1:{port}"),
    )


def _process_url(settings: Settings, folder: DataFolder, stack: Stack) -> str:
    if settings.database_url:
        logins.join(stack.owner_url, settings.database_url, logins.PROCESSES)
        return settings.database_url
    login = folder.kept("database-login", lambda: f"reviewsvc_{secrets.token_hex(4)}")
    return logins.make(stack.owner_url, login, folder.secret("database-password"), logins.PROCESSES)


def _chosen(given: str, usual: str, make: Callable[[], str]) -> str:
    return given if given != usual else make()


def _new_origin() -> str:
    return f"localhost/{secrets.token_hex(4)}"


def _await_ready(keeper: Keeper, folder: DataFolder, say: Say) -> None:
    waiting = keeper.not_ready()
    say(f"Starting {', '.join(waiting)} …")
    began = time.monotonic()
    while waiting:
        _refuse_hopeless(keeper, folder)
        if time.monotonic() - began > READY_SECONDS:
            # Others wait for the worker, not the worker for others.
            culprit = "worker" if "worker" in waiting else waiting[0]
            raise _not_ready(folder, culprit, f"is not ready after {READY_SECONDS} s")
        time.sleep(0.1)
        waiting = keeper.not_ready()
    say(f"All ready after {time.monotonic() - began:.1f} s.")


def _refuse_hopeless(keeper: Keeper, folder: DataFolder) -> None:
    for name, failures in keeper.failures().items():
        if failures >= HOPELESS_FAILURES:
            raise _not_ready(folder, name, f"exited {failures} times in a row")


def _not_ready(folder: DataFolder, name: str, why: str) -> NotReadyError:
    log = folder.logs / f"{name}.log"
    return NotReadyError(f"{name} {why}, its log {log} ends:\n{last_lines(log)}")
