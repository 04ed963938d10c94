"""How fast everything is verified, by the command itself; RSS at its highest."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.sealed_world import SealedWorld
from tests.benchmarks.world import peak_mb

TARGET, TARGET_TWO, TARGET_MB = 120_000.0, 200_000.0, 64.0
Say = Callable[[str], None]


class Run(NamedTuple):
    """Entries a second as the command says itself, and the largest process's peak in MiB."""

    rate: float
    peak_mb: float


class NotVerifiedError(RuntimeError):
    """What was captured did not verify."""


def measure(world: SealedWorld, say: Say) -> list[Figure]:
    """Verify all logs: their bytes alone, and with everything that hangs on them."""
    say("verifying everything")
    chain, whole = _run(world, "--chain-only"), _run(world)
    rate = Figure("verify.sealed_entries_per_second", chain.rate, "entries/s", TARGET, chain.rate >= TARGET)
    both = _run(world, "--chain-only", "--processes", "2").rate
    two = Figure("verify.sealed_entries_per_second_two", both, "entries/s", TARGET_TWO, both >= TARGET_TWO)
    return [
        two._replace(note="bytes, links, trees and seals, two processes"),
        rate._replace(note="bytes, links, trees and seals, one process"),
        at_most("verify.sealed_rss_mb", chain.peak_mb, "MiB", TARGET_MB),
        Figure(
            "verify.sealed_with_projections_per_second",
            whole.rate,
            "entries/s",
            note="every row compared, one process",
        ),
        Figure("verify.sealed_with_projections_rss_mb", whole.peak_mb, "MiB"),
    ]


def _run(world: SealedWorld, *words: str) -> Run:
    peak = 0.0
    with world.process("reviewsvc.cli", "audit", "verify", "--json", *words) as process:
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            time.sleep(0.02)
        assert process.stdout is not None
        report: dict[str, Any] = json.loads(process.stdout.read() or "{}")
    if process.returncode != 0:
        raise NotVerifiedError(f"audit verify ended with {process.returncode}: {report.get('findings')}")
    return Run(report["entries"] / report["seconds"], peak)
