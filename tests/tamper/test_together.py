"""However the work of a verification is shared, it tells the same, word for word."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from msgspec import structs

from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.verdict import Report, Verdict
from reviewsvc.usecases.verification import Progress, Scope, Team, verify
from tests.integration.history import PREDICTIONS
from tests.tamper.cheats import CHEATS, FLIP, PUT, P
from tests.tamper.installation import Installation

pytestmark = pytest.mark.real

TILE = 256
AT_SEAM = [
    f"{FLIP.format(at=300)}{P} AND seq = {TILE - 1}",
    f"{FLIP.format(at=300)}{P} AND seq = {TILE}",
    f"DELETE FROM entry WHERE {P} AND seq = {TILE - 1}",
    f"DELETE FROM entry WHERE {P} AND seq = {TILE}",
    PUT.format('"prev":"', '"prev":"0') + f"{P} AND seq = {TILE}",
    f"DELETE FROM entry WHERE {P} AND seq >= {TILE}",
]
SOME = [
    "an entry deleted",
    "the head's hash",
    "a label deleted",
    "a payload deleted",
    "a checkpoint's root",
    "a tile",
    "a tile deleted",
    "a log's end cut, its seals with it",
    "a log rewritten, every hash anew",
]


def timeless(report: Report) -> Report:
    return structs.replace(report, seconds=0.0)


@pytest.mark.parametrize("acts", [(), *((act,) for act in AT_SEAM), *(CHEATS[name].acts for name in SOME)])
def test_in_pieces_the_same_is_found_as_in_whole_logs(sealed: Installation, acts: tuple[object, ...]) -> None:
    alone_in_pieces = Team(1, "", length=TILE)
    with sealed.cheated() as held:
        for act in acts:
            if isinstance(act, str):
                held.run(act)
            elif callable(act):
                act(held)
        for scope in (Scope(), Scope(projections=False), Scope(PREDICTIONS)):
            whole = verify(held.conn, scope=scope, outside=sealed.outside(memory=True))
            parts = verify(held.conn, scope=scope, outside=sealed.outside(memory=True), team=alone_in_pieces)
            assert timeless(parts) == timeless(whole)
            assert bool(whole.findings) == (whole.verdict != Verdict.VERIFIED)


@contextmanager
def changed(sealed: Installation, flip: str) -> Iterator[None]:
    """Flip a bit for everybody to see, and flip it back."""

    def run() -> None:
        with psycopg.connect(sealed.owner_url) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(flip)

    run()
    try:
        yield
    finally:
        run()


def once_both_are_there(owner_url: str, act: str) -> Progress:
    """Wait, at the first progress, until another process reads as well; then ask for something of it."""
    seen: list[int] = []

    def wait(_log: str, _done: int, _size: int) -> None:
        # Inside a transaction the list of connections would stay as it was first seen.
        with psycopg.connect(owner_url, autocommit=True) as conn:
            until = time.monotonic() + 30
            while not seen and time.monotonic() < until:
                query = (
                    f"SELECT {act} FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'reviewsvc-read' ORDER BY backend_start OFFSET 1) AS other"
                )
                seen.extend(row[0] for row in conn.execute(query).fetchall())
                time.sleep(0.05)

    return wait


@pytest.mark.parametrize("flip", ["SELECT 1", *AT_SEAM[:2]])
def test_two_processes_find_what_one_finds(sealed: Installation, flip: str) -> None:
    with changed(sealed, flip), connect(sealed.process_url, "read") as conn:
        whole = verify(conn, outside=sealed.outside())
        team = Team(2, sealed.process_url, length=TILE)
        progress = once_both_are_there(sealed.owner_url, "pid")
        both = verify(conn, outside=sealed.outside(), team=team, progress=progress)
    assert timeless(both) == timeless(whole)
    assert bool(both.findings) == flip.startswith("UPDATE")


def test_what_a_lost_process_had_is_verified_all_the_same(sealed: Installation) -> None:
    shown: dict[str, tuple[int, int]] = {}
    kill = once_both_are_there(sealed.owner_url, "pg_terminate_backend(pid)::int")

    def progress(log: str, done: int, size: int) -> None:
        kill(log, done, size)
        shown[log] = done, size

    with connect(sealed.process_url, "read") as conn:
        team = Team(2, sealed.process_url, length=TILE)
        report = verify(conn, outside=sealed.outside(), team=team, progress=progress)
    assert (report.findings, report.verdict) == ([], Verdict.VERIFIED)
    assert shown == {log.log: (log.size, log.size) for log in report.logs}
