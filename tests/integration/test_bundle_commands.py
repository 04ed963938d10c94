"""`reviewsvc audit bundle` and `reviewsvc audit receipt`, as a person calls them."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.fixtures.bundled import alone, verifier_keys
from tests.fixtures.cases import event
from tests.fixtures.installed import KEK_BYTES, ORIGIN
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(signed: SealedBank, tmp_path: Path) -> Run:
    """Call `reviewsvc audit …` in a folder with the installation's settings."""
    (tmp_path / "kek").write_text(KEK_BYTES.hex())
    (tmp_path / "kek").chmod(0o600)
    signed.bank.capture([event(f"p-{number}") for number in range(5)])
    signed.seal()
    settings = {
        "DATABASE_URL": signed.bank.database_url,
        "REVIEWSVC_KEK_FILE": str(tmp_path / "kek"),
        "REVIEWSVC_ORIGIN": ORIGIN,
    }

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "reviewsvc.cli", "audit", *words],
            cwd=tmp_path,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_a_bundle_waits_for_its_seal_and_the_same_command_finishes_it(
    signed: SealedBank, run: Run, tmp_path: Path
) -> None:
    signed.bank.person("olga", "auditor")
    words = ("bundle", "--case", "p-3", "--model", "loans", "--purpose", "why", "--as", "olga", "-o", "b.zip")
    first = run(*words, "--wait", "0")
    assert (first.returncode, "not sealed yet" in first.stderr) == (3, True)
    assert not (tmp_path / "b.zip").exists()
    signed.seal()
    second = run(*words, "--json")
    assert (second.returncode, second.stderr) == (0, "")
    told = json.loads(second.stdout)
    assert told["bundle"] == "b.zip"
    assert told["disclosed"] >= 1
    keys, outside = verifier_keys(signed, tmp_path), tmp_path / "outside"
    outside.mkdir()
    assert alone(outside, "--keys", str(keys), str(tmp_path / "b.zip"))[0] == 0


def test_exports_are_listed_and_one_that_is_not_there_cannot_be_cancelled(run: Run) -> None:
    assert json.loads(run("exports", "list", "--json").stdout) == {"items": []}
    refused = run("exports", "cancel", str(UUID(int=7)))
    assert (refused.returncode, "no such export" in refused.stderr) == (3, True)


def test_without_a_person_no_payload_is_disclosed(signed: SealedBank, run: Run) -> None:
    words = ("bundle", "--purpose", "why", "-o", "b.zip")
    run(*words, "--wait", "0")
    signed.seal()
    told = json.loads(run(*words, "--json").stdout)
    assert told["disclosed"] == 0
    assert told["withheld"]["not the exporter's to see"] > 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--case", "p-3"), "ask one thing"),
        (("--queue", "unsure", "--subject", "x"), "ask one thing"),
        (("--subject", "nobody"), "Nothing is kept about this subject"),
        (("--log", "activity/9/0"), "there is no sealed log activity/9/0"),
        (("--from", "yesterday"), "is no time"),
        (("--from", "2026-11-22", "--until", "2026-11-21"), "ends before it begins"),
        (("--as", "anna"), "may not export entries"),
        (("--reviewer", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_bundled_is_said_in_a_line(
    signed: SealedBank, run: Run, words: tuple[str, ...], said: str
) -> None:
    signed.bank.person("anna")
    done = run("bundle", "--purpose", "why", "-o", "b.zip", *words)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_receipt_goes_to_a_file_or_to_stdout(signed: SealedBank, run: Run, tmp_path: Path) -> None:
    assert run("receipt", "loans", "p-2", "-o", "p-2.receipt", "--html", "p-2.html").returncode == 0
    page = (tmp_path / "p-2.html").read_text()
    held = page.partition("base64,")[2].partition('"')[0]
    assert base64.b64decode(held) == (tmp_path / "p-2.receipt").read_bytes()
    assert "http" not in page.partition("<main>")[0]
    assert "<script" not in page
    proof = run("receipt", "loans", "p-2", "--proof").stdout
    assert proof.startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    assert proof in (tmp_path / "p-2.receipt").read_text()
    keys, outside = verifier_keys(signed, tmp_path), tmp_path / "outside"
    outside.mkdir()
    assert alone(outside, "--keys", str(keys), str(tmp_path / "p-2.receipt"))[0] == 0
    missing = run("receipt", "loans", "p-9")
    assert (missing.returncode, "No prediction p-9" in missing.stderr) == (3, True)
