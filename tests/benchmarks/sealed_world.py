"""An installation on a durable PostgreSQL, filled without Kafka by the code that captures, and sealed."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import psycopg

from reviewsvc.crypto import signing_keys as key_files
from reviewsvc.crypto.kek import WrapsKeys, load_kek, make_kek_file
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.db.hot import batches, heads
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.moments import microseconds
from reviewsvc.local.ports import free_ports
from reviewsvc.local.postgres import Postgres
from reviewsvc.usecases import intake, rules, signing_keys
from reviewsvc.usecases.apply import apply
from reviewsvc.usecases.documents import read_documents
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.payload_keys import PayloadKeys
from reviewsvc.usecases.sealing import Sealer
from tests.benchmarks.load import DOCUMENTS, Load
from tests.fixtures.template import Template, own_template

ORIGIN = "bench.example"
TOPIC = "reviewsvc.predictions.v1"
LOG = f"predictions/{TOPIC}/0/0"
BATCH = 2_000
ADMIN = Actor("cli", "bench")


class Writer:
    """Captures events into one partition's log, as the consumer does, batch by batch."""

    def __init__(self, conn: Connected, kek: WrapsKeys, load: Load) -> None:
        self._conn, self._keys = conn, PayloadKeys(kek)
        self._rules = rules.load(conn, kek)
        self._values = load.values()
        heads.open_log(conn, ORIGIN, heads.Opening(TOPIC, 0, "topic-id", 0), _now_us())

    def write(self, count: int) -> int:
        """Capture the next events in one transaction; return how many there were."""
        values = list(islice(self._values, count))
        if not values:
            return 0
        head = heads.known(self._conn, TOPIC, [0])[0]
        first = head.next_offset
        arrived = [
            intake.Arrived(first + place, 0, _now_us(), None, (), value) for place, value in enumerate(values)
        ]
        reads = intake.read(arrived, TOPIC, self._rules)
        needs = intake.needs(reads, self._rules)
        rules.add_versions(self._conn, self._rules, needs.versions)
        builder = intake.Builder(head, TOPIC, 0, self._rules, keys=self._keys, clock=_now_us())
        self._keys.ensure(self._conn, needs.subjects, [builder.day])
        built = builder.build(reads, self._keys.own(self._conn, needs.own_keys), first + len(values))
        batches.write(self._conn, self._rules.generation, [built])
        return len(values)


@dataclass(frozen=True)
class SealedWorld:
    """An installation whose logs are signed."""

    folder: Path
    template: Template
    kek: WrapsKeys
    sessions: Sessions
    keyring: Keyring

    @property
    def url(self) -> str:
        """The address for the service's processes."""
        return self.template.process_url("bench")

    @property
    def owner_url(self) -> str:
        """The superuser's address."""
        return self.template.owner_url("bench")

    @contextmanager
    def process(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Run `python -m …` as a process of the service until the block ends."""
        settings = {
            "DATABASE_URL": self.url,
            "REVIEWSVC_ORIGIN": ORIGIN,
            "REVIEWSVC_KEK_FILE": str(self.folder / "kek"),
            "REVIEWSVC_SIGNING_KEY_FILE": str(self.folder / "signing.key"),
            "REVIEWSVC_SIGNER_STATE_FILE": str(self.folder / "signer.state"),
            "REVIEWSVC_DATA_DIR": str(self.folder),
            "REVIEWSVC_LOG_LEVEL": "warning",
            "REVIEWSVC_HEALTH_PORT": str(free_ports(1)[0]),
        }
        command = [sys.executable, "-m", *words]
        process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)

    @contextmanager
    def writer(self, load: Load) -> Iterator[Writer]:
        """A writer with a connection of its own."""
        with connect(self.url, "capture") as conn:
            yield Writer(conn, self.kek, load)

    def fill(self, load: Load) -> float:
        """Capture the whole load; return events a second."""
        began = time.monotonic()
        with self.writer(load) as writer:
            while writer.write(BATCH):
                pass
        with psycopg.connect(self.owner_url, autocommit=True) as conn:
            conn.execute("VACUUM (ANALYZE) entry, payload, prediction")
        return load.events / (time.monotonic() - began)

    def sealer(self, sessions: Sessions) -> Sealer:
        """A sealer in this process."""
        return Sealer(sessions, LogSigner(self.folder / "signing.key", self.folder / "signer.state"))

    def seal(self) -> None:
        """Seal all that there is."""
        sessions = Sessions(self.url, "worker", size=2)
        sealer = self.sealer(sessions)
        while sealer.step(datetime.now(UTC)):
            pass
        sessions.close()


@contextmanager
def opened() -> Iterator[SealedWorld]:
    """Start PostgreSQL with its own defaults and open an installation that signs; all is gone at the end."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="reviewsvc-bench-")))
        folder.chmod(0o711)
        server = ends.enter_context(Postgres.start(folder / "postgres"))
        template = own_template(server.owner_url, "bench")
        with psycopg.connect(template.admin_url, autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "bench" TEMPLATE "{template.database}"')
        make_kek_file(folder / "kek")
        kek = load_kek(folder / "kek")
        keyring, at = Keyring(kek), datetime.now(UTC)
        sessions = Sessions(template.process_url("bench"), "web", size=2)
        ends.callback(sessions.close)
        open_installation(sessions, keyring, ORIGIN, at)
        apply(sessions, keyring, read_documents(DOCUMENTS), actor=ADMIN, at=at)
        key_files.make(folder / "signing.key", ORIGIN)
        LogSigner(folder / "signing.key", folder / "signer.state").begin()
        vkeys = [each.verifier().text() for each in key_files.load(folder / "signing.key")]
        worker = Sessions(template.process_url("bench"), "worker", size=1)
        signing_keys.announce(worker, keyring, vkeys, actor=ADMIN, at=at)
        worker.close()
        yield SealedWorld(folder, template, kek, sessions, keyring)


def _now_us() -> int:
    return microseconds(datetime.now(UTC))
