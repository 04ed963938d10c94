"""The rehearsal: backup, more work, seals, the older state restored elsewhere, adopted, verified."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from reviewsvc.commands.backup import programs_for
from reviewsvc.db import logins
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.verdict import Verdict
from reviewsvc.local.postgres import Postgres
from reviewsvc.local.rehearsal import rehearse
from reviewsvc.usecases import backups, labels
from reviewsvc.usecases.backups import BackupError, Programs
from reviewsvc.usecases.desk import Desk
from tests.fixtures.installed import AT, KEK_BYTES, ORIGIN
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)


@pytest.fixture
def taken(signed: SealedBank, owner_url: str, tmp_path: Path) -> Path:
    """The folder of a backup after which more was done and signed."""
    anna = signed.bank.person("anna")
    signed.bank.decided(anna, "p-1", "p-2")
    signed.seal()
    folder = tmp_path / "monday"
    backups.make(owner_url, programs_for(owner_url), folder, tmp_path / "monday.keys", AT)
    signed.bank.decided(anna, "p-3")
    signed.seal(AT + SECOND)
    return folder


def command(settings: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", *words],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_restored_backup_is_written_to_only_after_it_was_adopted(
    taken: Path, signed: SealedBank, tmp_path: Path
) -> None:
    (tmp_path / "kek").write_text(f"{KEK_BYTES.hex()}\n")
    (tmp_path / "kek").chmod(0o600)
    with Postgres.start(tmp_path / "server") as server:
        with psycopg.connect(server.owner_url) as conn:
            conn.execute("CREATE TABLE task (stands_in_the_way text)")
        code, _, said = command({"DATABASE_OWNER_URL": server.owner_url}, "restore", str(taken))
        assert (code, "already exists" in said) == (1, True), said
        with psycopg.connect(server.owner_url) as conn:
            conn.execute("DROP TABLE task")
        code, _, said = command({"DATABASE_OWNER_URL": server.owner_url}, "restore", str(taken))
        assert (code, "restore adopt" in said) == (0, True), said
        url = logins.make(server.owner_url, "app", secrets.token_hex(16), logins.PROCESSES)
        settings = {
            "DATABASE_URL": url,
            "REVIEWSVC_ORIGIN": ORIGIN,
            "REVIEWSVC_KEK_FILE": str(tmp_path / "kek"),
            "REVIEWSVC_SIGNING_KEY_FILE": str(signed.key_file),
            "REVIEWSVC_SIGNER_STATE_FILE": str(tmp_path / "signer.state"),
        }
        for writer in ("users", "list"), ("worker",):
            code, _, said = command(settings, *writer)
            assert (code, "restore adopt" in said, "Traceback" in said) == (1, True, False), said
        code, out, said = command(
            settings, "restore", "adopt", "--yes", "--json", "--as", "officer", "--reason", "fire"
        )
        assert code == 0, said
        lost = {each["log"]: (each["from"], each["to"]) for each in json.loads(out)["lost"]}
        assert lost["predictions/reviewsvc.predictions.v1/0/0"] == (3, 3)
        code, out, _ = command(settings, "audit", "verify", "--json")
        assert (code, json.loads(out)["verdict"]) == (2, "INCOMPLETE")
        sessions = Sessions(url, "web", size=1)
        desk = Desk(sessions, signed.bank.house.keyring)
        page = labels.page(desk, "loans", "0.3", 10, actor=Actor("cli", "data"), at=AT)
        assert page.continuation
        assert page.continuation["lost"] == {"from": "0.3", "to": "0.3"}
        items = labels.page(desk, "loans", None, 10, actor=Actor("cli", "data"), at=AT).items
        assert [one.prediction_id for one in items] == ["p-1", "p-2"]
        sessions.close()


def test_a_rehearsal_verifies_the_backup_and_leaves_nothing(taken: Path) -> None:
    found = rehearse(taken, taken.with_name("monday.keys"))
    assert found.report.verdict is Verdict.SELF_CONSISTENT
    assert found.report.entries == sum(log.size for log in found.manifest.logs)
    assert found.manifest.checkpoint.startswith(f"{ORIGIN}/root/0\n")


def test_a_backup_that_was_cut_off_is_told_and_one_that_failed_leaves_nothing(
    signed: SealedBank, owner_url: str, tmp_path: Path
) -> None:
    signed.seal()
    programs, folder, keys = programs_for(owner_url), tmp_path / "monday", tmp_path / "keys"

    class Full(Programs):
        def run(self, program: str, *arguments: str, url: str = "") -> str:
            if any("data.dump" in each for each in arguments):
                raise BackupError("no space left")
            return super().run(program, *arguments, url=url)

    with pytest.raises(BackupError, match="no space"):
        backups.make(owner_url, Full(programs.folder), folder, keys, AT)
    assert not list(tmp_path.glob("monday*")) + list(tmp_path.glob("keys*"))
    (tmp_path / "monday.partial").mkdir()
    with pytest.raises(BackupError, match="remove it"):
        backups.make(owner_url, programs, folder, keys, AT)
    assert not list(tmp_path.glob("keys*"))
    (tmp_path / "monday.partial").rmdir()
    assert backups.make(owner_url, programs, folder, keys, AT).holds == "data"
    assert backups.check(keys, programs).holds == "keys"


def test_the_keys_are_apart_and_a_changed_file_is_told(taken: Path) -> None:
    programs = programs_for(folder=taken)
    assert backups.check(taken, programs).holds == "data"
    assert backups.check(taken.with_name("monday.keys"), programs).holds == "keys"
    dump = taken / "data.dump"
    rows = programs.run("pg_restore", "--data-only", "--file=-", "--schema=keys", str(dump))
    assert "COPY keys." not in rows
    changed = bytearray(dump.read_bytes())
    changed[-1] ^= 1
    dump.write_bytes(changed)
    with pytest.raises(BackupError, match=r"data\.dump is not the file that was written"):
        backups.check(taken, programs)
    with pytest.raises(BackupError, match="is there already"):
        backups.make("", programs, taken, taken, AT)
