"""How fast one process captures, beside copying the same bytes alone; RSS at its highest."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg

from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.load import DOCUMENTS, PARTITIONS, Load
from tests.benchmarks.world import Database, World, cpu_seconds, peak_mb, query

TARGET, TARGET_MB, SHARE = 20_000.0, 250.0, 0.5
BATCH = 5_000
COPIED_BATCHES = 10
PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.02
_CAPTURED = (
    "SELECT coalesce(sum(h.size), 0)::bigint FROM head h "
    "JOIN log l USING (log_id) WHERE l.kind = 'predictions'"
)
_TABLES = ("entry", "payload", "prediction")
Say = Callable[[str], None]


class Run(NamedTuple):
    """One run: events a second, peak in MiB, processor time an event, and the same rows copied alone."""

    rate: float
    peak_mb: float
    cpu_us: float
    copied: float


class StoppedError(RuntimeError):
    """Capture ended or stood still before everything was captured."""


def measure(world: World, events: int, runs: int, say: Say) -> tuple[list[Figure], Database]:
    """Capture the load several times, each into a new database; return the figures and the last database."""
    usual, new = Load("usual", events, 0.1), Load("new", events, 1.0)
    say(f"sending {events:,} events, 10 % of them about new subjects")
    usual.send(world.kafka)
    done: list[Run] = []
    database: Database | None = None
    for number in range(runs):
        if database:
            database.drop()
        database = world.database(f"usual_{number}", DOCUMENTS)
        done.append(_run(database, usual, say))
    assert database is not None
    say(f"sending {events:,} events, all of them about new subjects")
    new.send(world.kafka)
    other = world.database("new", DOCUMENTS)
    fresh = _run(other, new, say)
    other.drop()
    return _figures(database, events, done, fresh), database


def _figures(database: Database, events: int, done: Sequence[Run], fresh: Run) -> list[Figure]:
    routed = query(database.owner_url, "SELECT count(*) FROM task")[0][0]
    bare = Figure("capture.bare_copy_per_second", statistics.median(run.copied for run in done), "events/s")
    rate = statistics.median(run.rate for run in done)
    peak = max(run.peak_mb for run in [*done, fresh])
    return [
        at_least("capture.events_per_second", rate, "events/s", TARGET, share_of=bare, share=SHARE),
        at_most("capture.rss_mb", peak, "MiB", TARGET_MB),
        bare._replace(note="COPY alone of the same entries, payloads and predictions"),
        Figure("capture.events_per_second_new_subjects", fresh.rate, "events/s", note="every subject is new"),
        Figure(
            "capture.cpu_us_per_event",
            statistics.median(run.cpu_us for run in done),
            "µs",
            note="of the process alone, its start included",
        ),
        Figure("capture.routed_share", routed / events * 100, "%", note=f"of {events:,} events"),
    ]


def _run(database: Database, load: Load, say: Say) -> Run:
    settings = {"REVIEWSVC_PREDICTION_TOPICS": load.topic, "REVIEWSVC_KAFKA_GROUP": database.name}
    process = database.start("consumers", "capture", **settings)
    try:
        seen = _watch(database, process, load.events + PARTITIONS)
        peak, cpu_us = peak_mb(process.pid), cpu_seconds(process.pid) / load.events * 1e6
    finally:
        process.terminate()
        process.communicate(timeout=60)
    rate = _rate(seen, load.events // 10)
    copied = _copied(database)
    say(
        f"{database.name}: {rate:,.0f} events/s, {peak:.0f} MiB, {cpu_us:.0f} µs of processor an event; "
        f"copied alone {copied:,.0f} events/s"
    )
    return Run(rate, peak, cpu_us, copied)


def _watch(database: Database, process: Any, entries: int) -> list[tuple[float, int]]:
    """Note when the heads moved, until all is captured: (seconds, entries)."""
    seen = [(time.monotonic(), 0)]
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        while seen[-1][1] < entries:
            row = conn.execute(_CAPTURED).fetchone()
            now = time.monotonic()
            if row and row[0] != seen[-1][1]:
                seen.append((now, row[0]))
            elif process.poll() is not None or now - seen[-1][0] > PATIENCE_SECONDS:
                raise StoppedError(f"capture stopped after {seen[-1][1]:,} of {entries:,} entries")
            time.sleep(LOOK_SECONDS)
    return seen


def _rate(seen: Sequence[tuple[float, int]], warm_up: int) -> float:
    """Entries a second between the first commit behind the warm-up and the last one."""
    began, first = next(one for one in seen if one[1] >= warm_up)
    ended, last = seen[-1]
    return (last - first) / (ended - began)


def _copied(database: Database) -> float:
    """Rows a second at which the rows that were captured go into a database of their own, by COPY alone."""
    bare = database.world.database(f"{database.name}_bare", DOCUMENTS)
    with psycopg.connect(database.owner_url) as conn:
        batches = [_taken(conn, number) for number in range(COPIED_BATCHES)]
    with psycopg.connect(bare.owner_url) as conn:
        began = time.monotonic()
        for batch in batches:
            for table, data in zip(_TABLES, batch, strict=True):
                with conn.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                    for part in data:
                        copy.write(part)
            conn.commit()
        seconds = time.monotonic() - began
        rows = conn.execute("SELECT count(*) FROM prediction").fetchone() or (0,)
    bare.drop()
    return float(rows[0] / seconds)


def _taken(conn: psycopg.Connection[Any], number: int) -> list[list[bytes]]:
    """A batch of captured rows as COPY gives them, table by table."""
    first = 1 + number * (BATCH // PARTITIONS)
    rows = f"seq >= {first} AND seq < {first + BATCH // PARTITIONS}"
    logs = "log_id IN (SELECT log_id FROM log WHERE kind = 'predictions')"
    taken = []
    for table in _TABLES:
        query = f"COPY (SELECT * FROM {table} WHERE {logs} AND {rows}) TO STDOUT (FORMAT BINARY)"
        with conn.cursor().copy(query) as copy:
            taken.append([bytes(part) for part in copy])
    return taken
