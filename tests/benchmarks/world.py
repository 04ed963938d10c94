"""A real PostgreSQL, as durable as in production, and a real broker; the service's processes as children."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from consumers.settings import KafkaSettings
from reviewsvc.crypto.kek import load_kek, make_kek_file
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.local.ports import free_ports
from reviewsvc.local.stack import local_stack
from reviewsvc.usecases.apply import apply
from reviewsvc.usecases.documents import read_documents
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from tests.fixtures.template import Template, own_template

ORIGIN = "bench.example"
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


class NotDurableError(RuntimeError):
    """The database would not survive a crash, so its figures mean nothing."""


@dataclass(frozen=True)
class World:
    """Where everything is; databases are made from the migrated template, each with the documents applied."""

    folder: Path
    template: Template
    kafka: KafkaSettings

    def database(self, name: str, documents: str) -> "Database":
        """Make a database with an opened installation."""
        made = Database(self, name)
        with psycopg.connect(self.template.admin_url, autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template.database}"')
        sessions = Sessions(made.url, "web", size=2)
        keyring, at = Keyring(load_kek(self.folder / "kek")), datetime.now(UTC)
        open_installation(sessions, keyring, ORIGIN, at)
        apply(sessions, keyring, read_documents(documents), actor=Actor("cli", "bench"), at=at)
        sessions.close()
        return made


@dataclass(frozen=True)
class Database:
    """One of the world's databases: for its owner, and for the service's processes."""

    world: World
    name: str

    @property
    def url(self) -> str:
        return self.world.template.process_url(self.name)

    @property
    def owner_url(self) -> str:
        return self.world.template.owner_url(self.name)

    def drop(self) -> None:
        """Give its disk space back."""
        with psycopg.connect(self.world.template.admin_url, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def start(self, *words: str, **settings: str) -> "subprocess.Popen[str]":
        """Start `python -m …` as a process of the service on this database."""
        environment = {
            "DATABASE_URL": self.url,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.world.kafka.bootstrap_servers),
            "REVIEWSVC_ORIGIN": ORIGIN,
            "REVIEWSVC_KEK_FILE": str(self.world.folder / "kek"),
            "REVIEWSVC_DATA_DIR": str(self.world.folder),
            "REVIEWSVC_LOG_LEVEL": "warning",
            "REVIEWSVC_HEALTH_PORT": str(free_ports(1)[0]),
            **settings,
        }
        command = [sys.executable, "-m", *words]
        return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


@contextmanager
def opened() -> Iterator[World]:
    """Start both services with their own defaults; all is gone when the block ends."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="reviewsvc-bench-")))
        folder.chmod(0o711)
        stack = ends.enter_context(local_stack(folder))
        _refuse_careless(stack.owner_url)
        make_kek_file(folder / "kek")
        kafka = KafkaSettings(bootstrap_servers=(stack.bootstrap_servers,))
        yield World(folder, own_template(stack.owner_url, "bench"), kafka)


def peak_mb(pid: int) -> float:
    """The most memory that a process has used so far, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def rss_mb(pid: int) -> float:
    """The memory that a process and those that it started have now, in MiB; shared pages count in each."""
    total, waiting = 0.0, [pid]
    while waiting:
        each = waiting.pop()
        with suppress(OSError):
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
            total += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
            for task in Path(f"/proc/{each}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return total


def cpu_seconds(pid: int) -> float:
    """The time that a process has spent on a processor so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def query(url: str, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Ask a database once."""
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(text, values).fetchall()


def _refuse_careless(url: str) -> None:
    careless = [name for name in DURABLE if query(url, f"SHOW {name}") != [("on",)]]
    if careless:
        raise NotDurableError(f"{', '.join(careless)} must be on")
