"""What must be erasable is never written in clear: the data folder, its WAL and an export are searched."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from reviewsvc.db import tables as t
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import key_sweep, labels, subject_export
from tests.fixtures.cases import event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT

pytestmark = pytest.mark.real

SECRETS = (
    *(b"Wilhelmina-Zuckerkandl", b"prediction-zq71", b"remark-zq72", b"segment-zq73", b"note-zq74"),
    *(b"73219.4417", b"letter-zq75", b"header-zq76", b"because-zq77"),
)


def files(folder: Path, *, wal: bool) -> Iterator[Path]:
    """The cluster's files that can be read now, with or without those of the WAL."""
    for path in folder.rglob("*"):
        if path.is_file() and (wal or "pg_wal" not in path.parts):
            yield path


def found(folder: Path, needles: tuple[bytes, ...], *, wal: bool = True) -> list[tuple[str, bytes]]:
    told = []
    for path in files(folder, wal=wal):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        told += [(str(path), needle) for needle in needles if needle in data]
    return told


def test_no_secret_is_in_any_file_and_no_destroyed_key_in_a_table_file(
    eraser: Eraser, owner_url: str
) -> None:
    bank = eraser.bank
    told = {"income": 73219.4417, "job": 1, "remarks": "remark-zq72"}
    about = {"subject": "Wilhelmina-Zuckerkandl", "segment": "segment-zq73", "input": told}
    why = {"attributions": [{"feature": "income", "value": 0.3}], "text": "because-zq77"}
    sent = event("prediction-zq71", **about, explanation=why)
    bank.capture([sent], headers=(("trace", b"header-zq76"),))
    bank.capture([event(f"p-{n}") for n in range(40)])
    anna = bank.person("anna")
    (held,) = bank.claim(anna)
    bank.decide(anna, held, at=AT, note="note-zq74")
    house = bank.house
    made = subject_export.export(bank.desk, "Wilhelmina-Zuckerkandl", "letter-zq75", actor=STEWARD, at=AT)
    assert [needle for needle in SECRETS if needle not in made.as_json()] == [b"letter-zq75"]
    assert "remark-zq72" in made.as_text()
    rows = bank.rows(sa.select(t.data_key).where(t.data_key.c.subject.is_not(None)))
    wrapped = {bytes(row.key_id): bytes(row.wrapped) for row in rows}
    gone = wrapped[bytes.fromhex(made.pseudonym)]
    with psycopg.connect(owner_url, autocommit=True) as admin:
        folder = Path(str(admin.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index] # one row
        admin.execute("ANALYZE")
        admin.execute("CHECKPOINT")
        assert found(folder, SECRETS) == []
        assert found(folder, (gone,), wal=False) != []
        done = eraser.erase_subject("Wilhelmina-Zuckerkandl")
        assert done.predictions == 1
        assert key_sweep.step(eraser.desk.sessions, at=AT) == 0
        assert key_sweep.step(eraser.desk.sessions, at=AT + timedelta(minutes=3)) == 1
        assert key_sweep.step(eraser.desk.sessions, at=AT + timedelta(minutes=4)) == 0
        admin.execute("VACUUM keys.data_key")
        admin.execute("ANALYZE")
        admin.execute("CHECKPOINT")
        assert found(folder, SECRETS) == []
        assert found(folder, (gone,), wal=False) == []
    left = b"".join(labels.as_lines(labels.stream(bank.desk, "loans", None, actor=STEWARD, at=AT)))
    assert [needle for needle in SECRETS if needle in left] == []
    assert house.sessions
    assert eraser.verified().verdict is Verdict.VERIFIED
