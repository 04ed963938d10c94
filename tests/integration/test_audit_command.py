"""`reviewsvc audit verify` as a process of its own: its exit codes, its words, its memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
import pytest

from reviewsvc.domain.entries import leaf_hash
from tests.fixtures.installed import ORIGIN
from tests.fixtures.template import Template
from tests.integration import history
from tests.integration.history import PREDICTIONS

pytestmark = pytest.mark.real

MOST_MB = 64
# What the process itself used at most, told once it is done; a child's usage would count its parent's.
MEASURED = """
import atexit, sys
def told():
    lines = open("/proc/self/status").read().splitlines()
    print("PEAK", next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(told)
from reviewsvc import cli
cli.main(sys.argv[1:])
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def peak_mb(self) -> float:
        return int(self.err.rpartition("PEAK ")[2]) / 1024


def run(url: str, *words: str, code: str = MEASURED) -> Ran:
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", "verify", *words],
        env=os.environ | {"DATABASE_URL": url, "REVIEWSVC_DATA_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Place(NamedTuple):
    owner_url: str
    url: str


@pytest.fixture(scope="module")
def place(template: Template, copy_template: Callable[[], str]) -> Place:
    name = copy_template()
    history.make(template.process_url(name))
    return Place(template.owner_url(name), template.process_url(name))


def change(place: Place, statement: str) -> None:
    with psycopg.connect(place.owner_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(statement)


def test_a_clean_pass_ends_with_0_and_says_what_is_not_proved(place: Place) -> None:
    ran = run(place.url)
    assert ran.code == 0
    assert f"{PREDICTIONS} " in ran.out
    assert "VERIFIED (unsigned): " in ran.out
    assert "Not proved by this" in ran.out
    told = run(place.url, "--json").told
    assert (told["verdict"], told["remarks"], told["findings"]) == ("VERIFIED", ["unsigned"], [])


def test_a_changed_byte_ends_with_1_and_names_log_seq_and_what(place: Place) -> None:
    flip = "UPDATE entry SET body = set_byte(body, 250, get_byte(body, 250) # 1) WHERE log_id = 7 AND seq = 5"
    change(place, flip)
    ran, told = run(place.url), run(place.url, "--chain-only", "--json").told
    change(place, flip)
    assert ran.code == 1
    assert f"  {PREDICTIONS}, seq 5: the hash of its bytes is" in ran.out
    assert told["verdict"] == "TAMPERED"
    assert [(each["log"], each["seq"]) for each in told["findings"]] == [(PREDICTIONS, 5)]
    assert run(place.url).code == 0


@pytest.mark.parametrize(
    ("url", "words", "told"),
    [
        ("postgresql://nobody:wrong@127.0.0.1:1/none", (), "connection"),
        ("mysql://somewhere", (), "DATABASE_URL"),
        ("", (), "DATABASE_URL"),
        (None, ("--log", "no/such/0"), "there is no log no/such/0"),
        (None, ("--nonsense",), "No such option"),
    ],
)
def test_what_could_not_run_ends_with_3_and_a_line(
    place: Place, url: str | None, words: tuple[str, ...], told: str
) -> None:
    ran = run(place.url if url is None else url, *words)
    assert ran.code == 3
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_the_databases_owner_is_refused_with_3(place: Place) -> None:
    ran = run(place.owner_url)
    assert (ran.code, "owner or superuser" in ran.err) == (3, True)


def test_an_empty_database_ends_with_3(database_url: str) -> None:
    ran = run(database_url)
    assert ran.code == 3
    assert "there are no logs yet" in ran.err


def test_a_verification_that_breaks_off_ends_with_3_and_one_line(place: Place) -> None:
    """A crash would end with 1, which says TAMPERED."""
    broken = (
        "import sys; from reviewsvc.domain import chain\n"
        "def follow(*_): raise ZeroDivisionError('by\\nzero')\n"
        "chain.Chain.follow = follow\nfrom reviewsvc import cli\ncli.main(sys.argv[1:])"
    )
    ran = run(place.url, code=broken)
    assert (ran.code, ran.err) == (3, "Error: it broke off by ZeroDivisionError: by zero\n")


def long_log(place: Place, entries: int) -> None:
    """Make a log with many entries of a usual size, by the owner, who may."""
    with psycopg.connect(place.owner_url) as conn:
        (log_id,) = conn.execute(
            "INSERT INTO log (series, incarnation, kind, shard) VALUES ('ingest/7', 0, 'ingest', 7) "
            "RETURNING log_id"
        ).fetchone() or (0,)
        last = bytes(32)
        with conn.cursor().copy("COPY entry (log_id, seq, body) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "int8", "bytea"])
            for seq in range(entries):
                body = (
                    f'{{"v":1,"log":"{ORIGIN}/ingest/7/0","seq":{seq},"prev":"{last.hex()}",'
                    f'"at":{seq // 5_000},"kind":"prediction","facts":{{"text":"{"x" * 700}"}}}}'
                ).encode()
                last = leaf_hash(body)
                copy.write_row((log_id, seq, body))
        conn.execute(
            "INSERT INTO head (log_id, size, last_hash, last_at) VALUES (%s, %s, %s, %s)",
            (log_id, entries, last, (entries - 1) // 5_000),
        )


def test_the_chain_is_verified_in_little_memory_however_long_it_is(place: Place) -> None:
    long_log(place, 60_000)
    ran = run(place.url, "--chain-only", "--json")
    change(place, "DELETE FROM log WHERE series = 'ingest/7'")
    change(place, "DELETE FROM entry WHERE log_id = (SELECT max(log_id) FROM entry)")
    assert (ran.code, ran.told["verdict"]) == (0, "VERIFIED")
    assert ran.told["entries"] > 60_000
    assert ran.peak_mb <= MOST_MB
