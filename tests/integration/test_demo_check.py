"""`reviewsvc demo --check` on few events: all that it does for hundreds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from reviewsvc import verify
from reviewsvc.demo.crew import CREW
from tests.fixtures import c2sp_client
from tests.fixtures.bundled import alone
from tests.fixtures.long_commands import free_environment

pytestmark = pytest.mark.real

EVENTS = 120
SECONDS = 400
FIGURES = {
    "sent",
    "captured",
    "queued",
    "decided",
    "undone",
    "labels_api",
    "labels_kafka",
    "decisions_kafka",
    "lost",
    "doubled",
    "tampering_seen",
    "seconds",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the logs are published, with a bundle of them."""
    return tmp_path_factory.mktemp("outside") / "D"


@pytest.fixture(scope="module")
def done(out: Path) -> subprocess.CompletedProcess[str]:
    """The check, run once for all tests here, on a PostgreSQL and a Kafka of its own."""
    words = ("demo", "--check", "--json", "--events", str(EVENTS), "--publish", str(out))
    return subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", *words],
        env=free_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def folder(out: Path, done: subprocess.CompletedProcess[str]) -> Path:
    """The bundle, unpacked."""
    assert done.returncode == 0, done.stderr
    with ZipFile(out / "bundle.zip") as packed:
        packed.extractall(out.parent / "unpacked")
    return out.parent / "unpacked"


@pytest.fixture(scope="module")
def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it says on stdout, which is one JSON object and nothing else."""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nothing_is_off(done: subprocess.CompletedProcess[str], figures: dict[str, Any]) -> None:
    assert done.returncode == 0, done.stderr
    assert "Off:" not in done.stderr
    assert set(figures) == FIGURES


def test_each_prediction_is_captured_once(figures: dict[str, Any]) -> None:
    assert (figures["sent"], figures["captured"]) == (EVENTS, EVENTS)
    assert (figures["lost"], figures["doubled"]) == (0, 0)


def test_each_decision_leaves_as_a_label_and_an_undone_one_as_its_withdrawal(figures: dict[str, Any]) -> None:
    assert figures["undone"] >= 1
    assert figures["decided"] == figures["queued"] + figures["undone"]
    assert figures["labels_api"] == figures["labels_kafka"] == figures["decided"] + figures["undone"]
    assert figures["decisions_kafka"] == figures["decided"] + figures["undone"]


def test_one_changed_byte_is_seen(figures: dict[str, Any]) -> None:
    assert figures["tampering_seen"] is True


def test_every_log_is_published_for_clients_of_others_with_its_key(out: Path, folder: Path) -> None:
    assert {path.name for path in out.iterdir()} == {"logs", "verifier-keys.txt", "bundle.zip"}
    keys = (out / "verifier-keys.txt").read_text()
    assert keys.endswith("\n")
    names = set()
    for vkey in keys[:-1].split("\n"):
        name = "/".join(vkey.split("+")[0].split("/")[2:])
        head, entries = c2sp_client.read_log(_below(out / "logs" / name), vkey)
        assert len(entries) == head.size > 0
        names.add(name)
    said = json.loads((folder / "manifest.json").read_bytes())["logs"]
    assert {path.parent.relative_to(out / "logs").as_posix() for path in out.rglob("checkpoint")} == names
    assert {each["name"] for each in said} == names


def _below(place: Path) -> c2sp_client.Fetch:
    return lambda path: (place / path).read_bytes() if (place / path).is_file() else None


@pytest.mark.parametrize("form", ["bundle.zip", "../unpacked"])
def test_an_outsider_verifies_the_bundle(out: Path, folder: Path, tmp_path: Path, form: str) -> None:
    assert folder.is_dir()
    code, told = alone(tmp_path, "--keys", str(out / "verifier-keys.txt"), str(out / form))
    assert (code, told.partition("\n")[0]) == (0, "VERIFIED")


def test_one_changed_byte_of_any_file_is_told(
    out: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "verify.py"]
    assert len(files) > 20
    for number, path in enumerate(files):
        before = path.read_bytes()
        at = number * 7919 % len(before)
        path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        code = verify.main(["--keys", str(out / "verifier-keys.txt"), str(folder)])
        path.write_bytes(before)
        assert (code, capsys.readouterr().out.partition("\n")[0]) == (1, "TAMPERED"), path


def test_no_published_file_has_a_secret(out: Path, folder: Path) -> None:
    known = {secret for text in _payloads(folder) for secret in _secrets(text)}
    known |= {each.name for each in CREW} | {f'"{each.login}"' for each in CREW if each.role != "auditor"}
    assert len(known) > EVENTS * 5
    for path in out.glob("logs/**/*"):
        data = path.read_bytes() if path.is_file() else b""
        assert [each for each in known if each.encode() in data] == [], path


def _payloads(folder: Path) -> Iterator[str]:
    for path in folder.rglob("payloads/*.jsonl"):
        for line in path.read_text().splitlines():
            told = json.loads(line)
            if "text" in told:
                yield told["text"]


def _secrets(text: str) -> Iterator[str]:
    """What a record or a case's payload has that must not be read outside it."""
    said = json.loads(text.rpartition("\n")[2])
    if "prediction_id" in said:
        yield said["prediction_id"]
    if "subject" in said:
        yield said["subject"]
        yield json.loads(text.partition("\n")[0])["key"]
        yield from (f'"{name}":' for name in said["input"])
        yield from (repr(each["value"]) for each in said["explanation"]["attributions"] if each["value"])
