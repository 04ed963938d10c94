"""How fast a log is verified, beside reading and hashing the same bytes alone; RSS at its highest."""

import json
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg

from reviewsvc.db.hot import scan
from reviewsvc.usecases.verification import CHUNK
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.world import Database, peak_mb

TARGET, TARGET_MB, SHARE = 120_000.0, 64.0, 0.9
RUNS = 3
Say = Callable[[str], None]


class Run(NamedTuple):
    """One verification: entries a second as it says itself, and the process's peak in MiB."""

    rate: float
    peak_mb: float


class NotVerifiedError(RuntimeError):
    """What was captured did not verify."""


def measure(database: Database, say: Say) -> list[Figure]:
    """Verify what was captured, by the command itself, and read and hash the same bytes by a bare loop."""
    say("verifying what was captured")
    chains, bare = [], []
    for _ in range(RUNS):
        chains.append(_verify(database, "--chain-only"))
        bare.append(_read_and_hash(database))
    whole = _verify(database)
    loop = Figure("verify.bare_read_and_hash_per_second", statistics.median(bare), "entries/s")
    rate = statistics.median(run.rate for run in chains)
    peak = max(run.peak_mb for run in chains)
    return [
        at_least("verify.entries_per_second", rate, "entries/s", TARGET, share_of=loop, share=SHARE),
        at_most("verify.rss_mb", peak, "MiB", TARGET_MB, "chain alone"),
        loop._replace(note="read from the database and hashed, nothing compared"),
        Figure("verify.bare_hash_per_second", _hash(database), "entries/s", note="hashed in memory"),
        Figure("verify.with_projections_per_second", whole.rate, "entries/s", note="every row compared"),
        Figure("verify.with_projections_rss_mb", whole.peak_mb, "MiB"),
    ]


def _verify(database: Database, *words: str) -> Run:
    process = database.start("reviewsvc.cli", "audit", "verify", "--json", *words)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.02)
    report: dict[str, Any] = json.loads(process.communicate()[0] or "{}")
    if process.returncode != 0:
        raise NotVerifiedError(f"audit verify ended with {process.returncode}: {report.get('findings')}")
    return Run(report["entries"] / report["seconds"], peak)


def _read_and_hash(database: Database) -> float:
    count = 0
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        logs = conn.execute("SELECT log_id, size FROM head").fetchall()
        began = time.monotonic()
        for log_id, size in logs:
            for first in range(0, size, CHUNK):
                for _, body in scan.entries(conn, log_id, range(first, first + CHUNK)):
                    sha256(b"\x00" + body).digest()
                    count += 1
    return count / (time.monotonic() - began)


def _hash(database: Database) -> float:
    with psycopg.connect(database.owner_url) as conn:
        rows = conn.execute("SELECT body FROM entry LIMIT 50000").fetchall()
    began = time.monotonic()
    for (body,) in rows:
        sha256(b"\x00" + body).digest()
    return len(rows) / (time.monotonic() - began)
