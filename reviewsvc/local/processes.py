"""The service's processes as children: how each is started, what it is told, where it tells its health."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from reviewsvc.local.children import Child
from reviewsvc.local.ports import free_ports

if TYPE_CHECKING:
    from reviewsvc.config import Settings

COMMANDS = {
    "web": ("reviewsvc.cli", "web"),
    "worker": ("reviewsvc.cli", "worker"),
    "capture": ("consumers", "capture"),
    "relay": ("consumers", "relay"),
}

TOLD = ("origin", "kek_file", "secret_key", "data_dir", "port", "public_url", "logs_open")
SIGNS = "worker"
SIGNING = ("signing_key_file", "signer_state_file", "signer_socket")


def children(settings: "Settings") -> list[Child]:
    """Return every process of the service, told these settings; all but `web` get a health port."""
    told = environment(settings)
    ports = dict(zip(COMMANDS, [settings.port, *free_ports(len(COMMANDS) - 1)], strict=True))
    # What this process inherited must not reach the others: only one process is told where the key is.
    none = dict.fromkeys(signing(settings), "")
    keys = {name: signing(settings) if name == SIGNS else none for name in COMMANDS}
    return [
        Child(name, [sys.executable, "-m", *words], {**told, **keys[name]}, ports[name])
        for name, words in COMMANDS.items()
    ]


def environment(settings: "Settings") -> Mapping[str, str]:
    """Return what processes must be told beside what they inherit; the owner's address is taken from them."""
    return {
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": "",
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(settings.kafka.bootstrap_servers),
        **_named(settings, TOLD),
    }


def signing(settings: "Settings") -> Mapping[str, str]:
    """Return what the one process that signs is told, and commands about keys; no other is."""
    return _named(settings, SIGNING)


def _named(settings: "Settings", fields: Sequence[str]) -> dict[str, str]:
    told = asdict(settings)
    return {f"REVIEWSVC_{name.upper()}": str(told[name]) for name in fields}
