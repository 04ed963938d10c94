"""How long after its commit an entry is sealed, by the worker as it runs, at rising rates of writing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.load import Load
from tests.benchmarks.sealed_world import LOG, SealedWorld, Writer
from tests.benchmarks.world import query

TARGET_S, RATE = 2.0, 5_000
RATES = (RATE, 10_000, 20_000, 40_000)
SECONDS = 15.0
BATCHES_A_SECOND = 10
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 60.0
_SIZE = "SELECT coalesce(max(size), 0) FROM checkpoint JOIN log USING (log_id) WHERE name = %s"
_HEAD = "SELECT size FROM head JOIN log USING (log_id) WHERE name = %s"
Say = Callable[[str], None]


class Run(NamedTuple):
    """Entries a second as they were written, and how long after its commit an entry was sealed."""

    rate: float
    p50: float
    p99: float


class NotSealedError(RuntimeError):
    """What was written was not sealed in time."""


def measure(world: SealedWorld, say: Say) -> list[Figure]:
    """Write at each rate while a worker seals; stop behind the first rate that is not reached or too much."""
    runs: list[Run] = []
    with world.process("reviewsvc.cli", "worker"):
        for rate in RATES:
            runs.append(_run(world, rate))
            last = runs[-1]
            say(f"{last.rate:,.0f} entries/s: sealed after {last.p50:.2f} s, 99 % after {last.p99:.2f} s")
            if last.p99 > TARGET_S or last.rate < 0.9 * rate:
                break
    first, held = runs[0], [run.rate for run in runs if run.p99 <= TARGET_S]
    wrote = "as fast as one writer and the database go here" if runs[-1].rate < 0.9 * rate else ""
    return [
        Figure("seal.p50_s_at_5000", first.p50, "s", note=f"at {first.rate:,.0f} entries/s"),
        at_most("seal.p99_s_at_5000", first.p99, "s", TARGET_S, f"at {first.rate:,.0f} entries/s"),
        Figure("seal.highest_rate_with_p99_below_2s", max(held, default=0.0), "entries/s", note=wrote),
        Figure("seal.p99_s_at_highest_rate", runs[len(held) - 1].p99 if held else None, "s"),
    ]


def _run(world: SealedWorld, rate: int) -> Run:
    """Write for a while; entries of a batch are all as old as its commit."""
    committed: list[tuple[float, int]] = []
    load = Load("seal", int(rate * SECONDS), 0.1)
    with _watched(world) as seen, world.writer(load) as writer:
        began = time.monotonic()
        _write(writer, rate, lambda: committed.append((time.monotonic(), _count(world, _HEAD))))
        wrote = time.monotonic() - began
        patience = time.monotonic() + PATIENCE_SECONDS
        while not seen or seen[-1][1] < committed[-1][1]:
            if time.monotonic() > patience:
                raise NotSealedError(f"{committed[-1][1]} entries were written, {seen[-1:]} are sealed")
            time.sleep(LOOK_SECONDS)
    lags = sorted(_lags(committed, seen))
    return Run(load.events / wrote, lags[len(lags) // 2], lags[int(len(lags) * 0.99)])


def _write(writer: Writer, rate: int, note: Callable[[], None]) -> None:
    """Write evenly, in batches; one that is late is followed at once."""
    due = time.monotonic()
    while writer.write(rate // BATCHES_A_SECOND):
        note()
        due += 1 / BATCHES_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))


def _lags(committed: list[tuple[float, int]], seen: list[tuple[float, int]]) -> Iterator[float]:
    """Yield each batch's time from its commit to the checkpoint that covers it; all batches are as large."""
    looks = iter(seen)
    at, size = next(looks)
    for commit, wanted in committed:
        while size < wanted:
            at, size = next(looks)
        yield at - commit


@contextmanager
def _watched(world: SealedWorld) -> Iterator[list[tuple[float, int]]]:
    """Note, from a thread, when checkpoints came: (seconds, size)."""
    seen: list[tuple[float, int]] = []
    stop = threading.Event()

    def watch() -> None:
        with psycopg.connect(world.owner_url, autocommit=True) as conn:
            while not stop.wait(LOOK_SECONDS):
                row = conn.execute(_SIZE, (LOG,)).fetchone()
                if row and (not seen or row[0] != seen[-1][1]):
                    seen.append((time.monotonic(), row[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _count(world: SealedWorld, text: str) -> int:
    return int(query(world.owner_url, text, (LOG,))[0][0])
