"""Victims on this test's database and topics."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.faults.victims import Victim, capture_command

MakeVictim = Callable[..., Victim]


@pytest.fixture
def make_victim(process_settings: Mapping[str, str], tmp_path: Path) -> Iterator[MakeVictim]:
    """Makes processes that are not started yet, capture unless another command is given."""
    with ExitStack() as ends:

        def make(name: str = "capture", command: list[str] | None = None, **patience: float) -> Victim:
            log = tmp_path / f"{name}.log"
            victim = Victim(process_settings, log, command or capture_command(**patience))
            ends.callback(_end, victim)
            return victim

        yield make


def _end(victim: Victim) -> None:
    if victim.is_running():
        with suppress(ProcessLookupError):
            victim.thaw()
        victim.kill()
