"""Runs the benches one after another, each on services of its own, and judges what they measured."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from tests.benchmarks import (
    bench_bundle,
    bench_capture,
    bench_full_verify,
    bench_proof,
    bench_routing,
    bench_seal,
    bench_verify,
    sealed_world,
    world,
)
from tests.benchmarks.figures import Figure, at_most, broken, from_row, show, write

BUILD: Final = Path(__file__).parents[2] / "build"
Say = Callable[[str], None]


class Size(NamedTuple):
    """How much capture is measured with."""

    events: int
    runs: int


USUAL: Final = Size(200_000, 3)
FULL: Final = Size(1_000_000, 5)


def capture_and_verify(size: Size, say: Say) -> list[Figure]:
    """Measure capture, then the verification of what it captured last."""
    with world.opened() as opened:
        captured, database = bench_capture.measure(opened, size.events, size.runs, say)
        return captured + bench_verify.measure(database, say)


def routing(_size: Size, _say: Say) -> list[Figure]:
    """Measure reading, checking and routing one event."""
    costs = bench_routing.measure()
    total = costs["read_event"] + costs["check"] + costs["route"]
    return [at_most("routing.us_per_event", total, "µs", bench_routing.TARGET_US, "read, checked, routed")]


def queue(_size: Size, _say: Say) -> list[Figure]:
    """Measure the next case with 100,000 waiting."""
    return [from_row(row) for row in import_module("tests.benchmarks.bench_queue").measure()]


def desk(_size: Size, _say: Say) -> list[Figure]:
    """Measure the review page in a browser."""
    return [from_row(row) for row in import_module("tests.benchmarks.bench_desk").figures()]


def labels(_size: Size, _say: Say) -> list[Figure]:
    """Measure how fast labels leave."""
    return [from_row(row) for row in import_module("tests.benchmarks.bench_labels").measure()]


def audit(_size: Size, say: Say) -> list[Figure]:
    """Measure bundles, verification, seals and proofs; one that fails keeps no other from its turn."""
    figures: list[Figure] = []
    with sealed_world.opened() as opened:
        for bench in (bench_bundle, bench_full_verify, bench_seal, bench_proof):
            try:
                figures += bench.measure(opened, say)
            except Exception as fault:  # noqa: BLE001 - the figure says what went wrong
                figures.append(broken(bench.__name__.rpartition(".")[2], fault))
    return figures


BENCHES: Final[dict[str, Callable[[Size, Say], list[Figure]]]] = {
    "routing": routing,
    "capture": capture_and_verify,
    "queue": queue,
    "desk": desk,
    "labels": labels,
    "audit": audit,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the benches that are asked for; exit 1 if one could not measure."""
    asked = _arguments(words)
    console, began = Console(width=150), time.monotonic()
    say: Say = Console(stderr=True).print
    figures: list[Figure] = []
    failed = False
    for name in asked.only or BENCHES:
        say(f"bench {name}")
        try:
            figures += BENCHES[name](Size(asked.events, asked.runs), say)
        except Exception as fault:  # noqa: BLE001 - the other benches are measured all the same
            failed = True
            figures.append(broken(name, fault))
    show(figures, console)
    file = BUILD / ("bench.json" if not asked.only else f"bench-{'-'.join(asked.only)}.json")
    write(figures, file)
    console.print(f"{file} written after {(time.monotonic() - began) / 60:.1f} minutes.")
    sys.exit(int(failed))


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=BENCHES, help="measure this alone; may be repeated"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"capture {FULL.events:,} events {FULL.runs} times"
    )
    parser.add_argument("--events", type=int, help="how many events capture is measured with")
    parser.add_argument("--runs", type=int, help="how often; the median counts")
    asked = parser.parse_args(words)
    size = FULL if asked.full else USUAL
    asked.events, asked.runs = asked.events or size.events, asked.runs or size.runs
    return asked
