"""How fast labels leave, each sealed under a key of its own; `python -m tests.benchmarks.bench_labels`."""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from reviewsvc.crypto.envelope import RANDOM_BYTES, Cipher
from reviewsvc.domain import facts as f
from reviewsvc.domain.case_secrets import CaseSecrets, write_secrets
from reviewsvc.domain.entries import Actor, Entry, Payload, encode, encode_facts, leaf_hash
from reviewsvc.local.postgres import Postgres
from reviewsvc.usecases import labels
from tests.benchmarks.bench_queue import opened_bank
from tests.fixtures.cases import Bank
from tests.fixtures.installed import KEK, ORIGIN
from tests.fixtures.template import own_template

ROWS = 200_000
TARGET, TARGET_MB = 50_000.0, 64.0
_LOG = "labels/loans/0"
_DATA = Actor("token", str(UUID(int=7)))


def main() -> list[dict[str, Any]]:
    """Measure, print one line each, and return the rows of the bench."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=ROWS)
    rows = measure(words.parse_args().rows)
    for row in rows:
        print(json.dumps(row))  # noqa: T201 - a script's output
    return rows


def measure(amount: int = ROWS) -> list[dict[str, Any]]:
    """Fill a label log, stream all of it in both forms, and return the rows of the bench."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        server = ends.enter_context(Postgres.start(folder / "postgres"))
        template = own_template(server.owner_url, "bench")
        bank = opened_bank(server.owner_url, template, ends)
        _fill(template.owner_url("bench"), amount)
        return [
            _row(name, form, bank, amount)
            for name, form in (("jsonl", "application/x-ndjson"), ("csv", "text/csv"))
        ]


def _row(name: str, form: str, bank: Bank, amount: int) -> dict[str, Any]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, lines = time.perf_counter(), 0
    stream = labels.stream(bank.desk, "loans", None, actor=_DATA, at=datetime.now(UTC))
    for piece in labels.FORMATS[form](stream):
        lines += piece.count(b"\n")
    rate = lines / (time.perf_counter() - began)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    load = f"{amount:,} labels, {grown:.0f} MiB more at the peak"
    ok = rate >= TARGET and lines >= amount and grown <= TARGET_MB
    return {
        "name": f"export.{name}_rows_per_second",
        "value": round(rate),
        "unit": "rows/s",
        "target": TARGET,
        "ok": ok,
        "load": load,
    }


def _fill(owner_url: str, amount: int) -> None:
    """Append labels as deciding does, by COPY."""
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "SELECT h.log_id, h.size, h.last_hash FROM head h JOIN log l USING (log_id) WHERE l.name = %s",
            (_LOG,),
        ).fetchone()
        assert found is not None
        log_id, size, last = found
        made = list(_entries(size, bytes(last), amount))
        at = made[0][2].at
        _copy(connection, "keys.data_key (key_id, wrapped, kek_id)", [one[0] for one in made])
        _copy(
            connection,
            "payload (retention_class, at, log_id, seq, ciphertext)",
            [(0, at, log_id, e.seq, c) for _, c, e, _ in made],
        )
        _copy(connection, "entry (log_id, seq, body)", [(log_id, e.seq, body) for _, _, e, body in made])
        values = (size + amount, leaf_hash(made[-1][3]), at, log_id)
        connection.execute(
            "UPDATE head SET size = %s, last_hash = %s, last_at = %s WHERE log_id = %s", values
        )
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _entries(
    first: int, last: bytes, amount: int
) -> Iterator[tuple[tuple[bytes, bytes, str], bytes, Entry, bytes]]:
    at = time.time_ns() // 1000
    for seq in range(first, first + amount):
        key_id, key = os.urandom(16), os.urandom(32)
        secrets = CaseSecrets("1.0", "reviewsvc.predictions.v1", f"application-{seq:012}")
        plain = write_secrets(secrets)
        sealed = Cipher(key).seal(plain, os.urandom(RANDOM_BYTES))
        said = Payload("application/json", len(plain), sealed.commit.hex(), sealed.sha256.hex(), key_id.hex())
        facts = msgspec.Raw(encode_facts(_facts(seq, at)))
        entry = Entry(
            1, f"{ORIGIN}/{_LOG}", seq, last.hex(), at, "label", actor=_DATA, facts=facts, payload=said
        )
        body = encode(entry)
        last = leaf_hash(body)
        yield (key_id, *KEK.wrap(key)), sealed.ciphertext, entry, body


def _facts(seq: int, at: int) -> f.Label:
    return f.Label(
        op="add",
        id=f"{seq:032x}",
        model="loans",
        kind="review",
        predicted_at=at,
        prediction_log="predictions/reviewsvc.predictions.v1/0/0",
        prediction_seq=seq,
        prediction_at=at,
        agreed=seq % 10 > 0,
        contract=1,
        policy=1,
        label="approve",
        model_label="approve",
        confidence="0.7312",
        reviewer=_DATA.id,
        rule="unsure",
        designs=[("unsure", "1.0"), ("sample", "0.05")],
        pi="1.0",
    )


def _copy(connection: psycopg.Connection[Any], target: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    main()
