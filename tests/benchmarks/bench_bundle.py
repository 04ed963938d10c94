"""How fast a bundle of a whole log is made, with payloads or without, in what memory; what a log takes."""

import json
import resource
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from reviewsvc import verify
from reviewsvc.crypto import signing_keys as key_files
from reviewsvc.crypto.signing_keys import named
from reviewsvc.domain.bundle import Question
from reviewsvc.domain.permissions import Grant, Reach
from reviewsvc.usecases import people
from reviewsvc.usecases.bundles import Asked, Help, Maker
from reviewsvc.usecases.payload_check import KekSource
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.load import Load
from tests.benchmarks.sealed_world import ADMIN, LOG, SealedWorld
from tests.benchmarks.world import query, rss_mb

FEW, MANY = 100_000, 400_000
TARGET, GROWS_AT_MOST = 50_000.0, 1.25
MILLION = 1_000_000
AUDITOR = "auditor"
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
    _add_auditor(world)
    world.fill(Load("few", FEW, 0.1))
    world.seal()
    few_mb = _peak(world)
    world.fill(Load("many", MANY - FEW, 0.1))
    world.seal()
    grown = [now - then for now, then in zip(_sizes(world), before, strict=True)]
    say("bundling")
    closed, opened = _make(world, everything=False), _make(world, everything=True)
    alone = _make(world, everything=True, processes=1)
    many_mb = _peak(world)
    return [
        _rate("bundle.entries_per_second", closed, "payloads withheld, two processes", TARGET),
        _rate("bundle.entries_per_second_disclosed", opened, "payloads opened, two processes", TARGET),
        _rate("bundle.entries_per_second_disclosed_one", alone, "payloads opened, one process"),
        Figure("bundle.rss_mb", many_mb, "MiB", note=f"of the command's two processes, {MANY:,} entries"),
        at_most("bundle.rss_growth", many_mb / few_mb, "times", GROWS_AT_MOST, f"against {FEW:,} entries"),
        *_growth(*grown),
    ]


def _add_auditor(world: SealedWorld) -> None:
    at, held = datetime.now(UTC), (world.sessions, world.keyring)
    person = people.add(*held, AUDITOR, "Auditor", secrets.token_hex(), actor=ADMIN, at=at)
    people.grant(*held, person, Grant("auditor"), actor=ADMIN, at=at)


def _rate(name: str, made: Made, how: str, target: float | None = None) -> Figure:
    note = f"{how}; {made.cpu_us:.0f} µs of processor and {made.size:,.0f} B an entry"
    return Figure(name, made.rate, "entries/s", target, target is None or made.rate >= target, note)


def _make(world: SealedWorld, *, everything: bool, processes: int = 2) -> Made:
    """Make a bundle, other processes' starts and all counted, and verify it as an outsider does."""
    reach = Reach(everywhere=everything, models=frozenset(), queues=frozenset())
    helped = Help(processes, world.url, KekSource(str(world.folder / "kek")))
    maker = Maker(world.sessions, world.keyring, world.folder / "half", reach, helped)
    target = world.folder / "b.zip"
    began, cpu = time.monotonic(), _cpu_seconds()
    maker.make(Asked(Question("range", logs=[LOG]), "bench", ADMIN), datetime.now(UTC))
    made, spent = time.monotonic() - began, _cpu_seconds() - cpu
    world.seal()
    began, cpu = time.monotonic(), _cpu_seconds()
    assert maker.finish(target)
    made, spent = made + time.monotonic() - began, spent + _cpu_seconds() - cpu
    _verify(world, target)
    size = target.stat().st_size
    target.unlink()
    return Made(MANY / made, spent / MANY * 1e6, size / MANY)


def _cpu_seconds() -> float:
    """What this process has spent, and those that it has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.ru_utime + each.ru_stime for each in used)


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
    """The most memory of `reviewsvc audit bundle` with payloads, of both its processes at once, in MiB."""
    words = (
        "audit",
        "bundle",
        "--log",
        LOG,
        "--purpose",
        "bench",
        "-o",
        str(world.folder / "c.zip"),
        "--processes",
        "2",
        "--as",
        AUDITOR,
        "--json",
    )
    peak = 0.0
    with world.process("reviewsvc.cli", "worker"), world.process("reviewsvc.cli", *words) as process:
        while process.poll() is None:
            peak = max(peak, rss_mb(process.pid))
            time.sleep(0.02)
        assert process.stdout is not None
        made: dict[str, Any] = json.loads(process.stdout.read())
        assert made["disclosed"] > 0
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
