"""How fast a bundle of a whole log is made, with payloads or without, in what memory; what a log takes."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from reviewsvc import verify
from reviewsvc.crypto import signing_keys as key_files
from reviewsvc.crypto.signing_keys import named
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.permissions import Reach
from reviewsvc.usecases.bundles import Asked, Maker
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.load import Load
from tests.benchmarks.sealed_world import ADMIN, LOG, SealedWorld
from tests.benchmarks.world import peak_mb, query

FEW, MANY = 50_000, 200_000
TARGET, GROWS_AT_MOST = 50_000.0, 1.25
MILLION = 1_000_000
_SIZES = """
SELECT (sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'payload%%'))::bigint,
    (sum(pg_total_relation_size(c.oid)) FILTER (WHERE n.nspname = 'keys'))::bigint,
    pg_database_size(current_database())
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'
"""
Say = Callable[[str], None]


class Made(NamedTuple):
    """Entries a second, all of it counted but waiting for the seal, and bytes an entry."""

    rate: float
    cpu_us: float
    size: float


class NotVerifiedError(RuntimeError):
    """A bundle that was made did not verify."""


def measure(world: SealedWorld, say: Say) -> list[Figure]:
    """Fill a log twice, and bundle all of it each time."""
    before = _sizes(world)
    say(f"capturing {MANY:,} events")
    world.fill(Load("few", FEW, 0.1))
    world.seal()
    few_mb = _peak(world)
    world.fill(Load("many", MANY - FEW, 0.1))
    world.seal()
    grown = [now - then for now, then in zip(_sizes(world), before, strict=True)]
    say("bundling")
    closed, opened = _make(world, everything=False), _make(world, everything=True)
    many_mb = _peak(world)
    return [
        Figure(
            "bundle.entries_per_second",
            closed.rate,
            "entries/s",
            TARGET,
            closed.rate >= TARGET,
            note=f"payloads withheld, {closed.cpu_us:.0f} µs of processor and {closed.size:,.0f} B an entry",
        ),
        Figure(
            "bundle.entries_per_second_disclosed",
            opened.rate,
            "entries/s",
            note=f"payloads opened, {opened.cpu_us:.0f} µs of processor and {opened.size:,.0f} B an entry",
        ),
        Figure("bundle.rss_mb", many_mb, "MiB", note=f"of the command, {MANY:,} entries"),
        at_most("bundle.rss_growth", many_mb / few_mb, "times", GROWS_AT_MOST, f"against {FEW:,} entries"),
        *_growth(*grown),
    ]


def _make(world: SealedWorld, *, everything: bool) -> Made:
    """Make a bundle in this process, and verify it as an outsider does."""
    reach = Reach(everywhere=everything, models=frozenset(), queues=frozenset())
    maker, target = Maker(world.sessions, world.keyring, world.folder / "half", reach), world.folder / "b.zip"
    began, cpu = time.monotonic(), time.process_time()
    maker.make(Asked(Question("range", logs=[LOG]), "bench", ADMIN), datetime.now(UTC))
    made, spent = time.monotonic() - began, time.process_time() - cpu
    world.seal()
    began, cpu = time.monotonic(), time.process_time()
    assert maker.finish(target)
    made, spent = made + time.monotonic() - began, spent + time.process_time() - cpu
    _verify(world, target)
    size = target.stat().st_size
    target.unlink()
    return Made(MANY / made, spent / MANY * 1e6, size / MANY)


def _verify(world: SealedWorld, target: Path) -> None:
    logs = [row[0] for row in query(world.owner_url, "SELECT name FROM log")]
    keys = [
        named(key.verifier(), log).text()
        for log in logs
        for key in key_files.load(world.folder / "signing.key")
    ]
    report = verify.verify(target, [verify.parse_key(each) for each in keys])
    if report["verdict"] != verify.VERIFIED:
        raise NotVerifiedError(str(report["findings"][:1]))


def _peak(world: SealedWorld) -> float:
    """The most memory of `reviewsvc audit bundle` for the whole log, in MiB."""
    words = (
        "audit",
        "bundle",
        "--log",
        LOG,
        "--purpose",
        "bench",
        "-o",
        str(world.folder / "c.zip"),
        "--json",
    )
    peak = 0.0
    with world.process("reviewsvc.cli", "worker"), world.process("reviewsvc.cli", *words) as process:
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            time.sleep(0.02)
        assert process.stdout is not None
        made: dict[str, Any] = json.loads(process.stdout.read())
        assert made["entries"] > 0
    (world.folder / "c.zip").unlink()
    return peak


def _sizes(world: SealedWorld) -> tuple[int, ...]:
    """Bytes of the payloads, of the keys, and of the whole database."""
    return query(world.owner_url, _SIZES)[0]


def _growth(payloads: int, keys: int, whole: int) -> list[Figure]:
    note = f"measured on {MANY:,} events and scaled"
    mb = MILLION / MANY / 2**20
    return [
        Figure("growth.mb_per_million", whole * mb, "MiB", note=f"{note}; 1 KB events, a tenth new subjects"),
        Figure(
            "growth.mb_per_million_without_payloads",
            (whole - payloads) * mb,
            "MiB",
            note="as retention leaves it",
        ),
        Figure("growth.mb_per_million_keys", keys * mb, "MiB", note="of it: keys of subjects"),
    ]
