"""Changes one stored byte as only the database's owner can, and asks `audit verify` what it sees."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import psycopg

VERIFY_SECONDS = 120
_PLACE = """
SELECT log.log_id, log.name, head.size FROM log JOIN head USING (log_id)
WHERE log.kind = 'predictions' ORDER BY head.size DESC LIMIT 1
"""
_FLIP = """
UPDATE entry SET body = set_byte(body, %(at)s, get_byte(body, %(at)s) # 1)
WHERE log_id = %(log_id)s AND seq = %(seq)s
"""


class Place(NamedTuple):
    """An entry, by its log and seq, and the byte of it that was changed."""

    log_id: int
    log: str
    seq: int
    byte: int


class Verified(NamedTuple):
    """What `audit verify --json` said."""

    code: int
    report: Mapping[str, Any]

    def names(self, place: Place) -> bool:
        """Say whether it found something wrong at this entry."""
        found = [(each["log"], each["seq"]) for each in self.report.get("findings", ())]
        return (place.log, place.seq) in found


def verify(environment: Mapping[str, str]) -> Verified:
    """Run `reviewsvc audit verify --json` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", "audit", "verify", "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        timeout=VERIFY_SECONDS,
        check=False,
    )
    return Verified(done.returncode, msgspec.json.decode(done.stdout or b"{}"))


@contextmanager
def one_byte_changed(owner_url: str) -> Iterator[Place]:
    """Change a byte of an entry in the middle of the longest predictions log; put it back at the end."""
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        place = _choose(conn)
        _flip(conn, place)
        try:
            yield place
        finally:
            _flip(conn, place)


def _choose(conn: psycopg.Connection[Any]) -> Place:
    row = conn.execute(_PLACE).fetchone()
    assert row is not None
    log_id, log, size = row
    seq = size // 4 + secrets.randbelow(max(1, size // 2))
    found = conn.execute(
        "SELECT octet_length(body) FROM entry WHERE log_id = %s AND seq = %s", (log_id, seq)
    ).fetchone()
    assert found is not None
    return Place(log_id, log, seq, secrets.randbelow(found[0]))


def _flip(conn: psycopg.Connection[Any], place: Place) -> None:
    conn.execute(_FLIP, {"at": place.byte, "log_id": place.log_id, "seq": place.seq})
