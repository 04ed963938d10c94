"""What the web process holds for every request: transactions, keys, rules and the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, cast

from flask import Flask, current_app

from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.tiles import Tile
from reviewsvc.usecases.auth import Rules
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.installation import Installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.queues import Depths
from reviewsvc.usecases.receipts import Prover

EXTENSION: Final = "reviewsvc"
Made: TypeAlias = dict[tuple[int, Tile], bytes]


def system_clock() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What use cases take from the web process."""

    sessions: Sessions
    keyring: Keyring
    installation: Installation
    desk: Desk
    depths: Depths = field(default_factory=Depths)
    rules: Rules = field(default_factory=Rules)
    is_secure: bool = False
    logs_open: bool = False
    second_person: frozenset[str] = frozenset()
    backup_days: int = 35
    tiles: Made = field(default_factory=dict)
    exports: Path = Path("exports")
    prover: Prover = field(default_factory=Prover)
    clock: Callable[[], datetime] = system_clock


def hold(app: Flask, held: Services) -> None:
    """Give an application its services."""
    app.extensions[EXTENSION] = held


def services() -> Services:
    """Return the services of the application that answers now."""
    return cast("Services", current_app.extensions[EXTENSION])
