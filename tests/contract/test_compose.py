"""The compose file: its schema, and what no schema sees."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from reviewsvc import cli, config
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

FILE: Final = ROOT / "docker-compose.yml"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {
    name: service for name, service in SERVICES.items() if service["image"].startswith("reviewsvc:")
}
EXPORTS: Final = "exports:/var/lib/reviewsvc-exports"
ONCE: Final = {"migrate", "topics"}
SIGNER: Final = "signer"
ON_DATA: Final = OURS.keys() - ONCE - {SIGNER}


def test_it_is_a_compose_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_image_is_pinned() -> None:
    assert [name for name, each in SERVICES.items() if not re.search(r":\d[\w.]*$", each["image"])] == []


def test_every_process_that_stays_tells_its_health() -> None:
    assert {name for name, each in SERVICES.items() if "healthcheck" not in each} == ONCE


def test_what_runs_once_is_waited_for() -> None:
    for name in ON_DATA:
        waited = {
            other for other, how in SERVICES[name]["depends_on"].items() if "completed" in how["condition"]
        }
        assert "migrate" in waited


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_as_declared_files_and_every_declared_one_is_used(name: str) -> None:
    service = SERVICES[name]
    given = {value for value in _environment(name).values() if str(value).startswith("/run/secrets/")}
    given |= {word.rpartition("=")[2] for word in service.get("command", []) if "/run/secrets/" in word}
    assert given == {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()


def _environment(name: str) -> dict[str, str]:
    return dict(SERVICES[name].get("environment", {}))


def test_no_password_stands_in_the_file() -> None:
    words = re.compile(r"password|secret|token|kek|_key", re.IGNORECASE)
    for name in SERVICES:
        for key, value in _environment(name).items():
            is_file = key.endswith("_FILE") and str(value).startswith(("/run/secrets/", "/var/lib/signer/"))
            assert is_file or not words.search(key)
            assert not re.search(r"://[^/@\s]+:[^/@\s]+@", str(value))


@pytest.mark.parametrize("name", OURS)
def test_our_containers_own_nothing_and_write_nowhere(name: str) -> None:
    service = OURS[name]
    user = "10002:10001" if name == SIGNER else "10001:10001"
    assert (service["user"], service["read_only"], service["cap_drop"]) == (user, True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]
    assert ("volumes" in service) == (name in {SIGNER, "worker", "web"})


def test_the_signer_is_alone_with_its_key_and_only_the_worker_may_ask_it() -> None:
    signer, worker = OURS[SIGNER], OURS["worker"]
    assert signer["network_mode"] == "none"
    assert {"secrets", "ports"} & signer.keys() == set()
    assert not [name for name in _environment(SIGNER) if "DATABASE" in name or "KEK" in name]
    key, socket = (
        _environment(SIGNER)[f"REVIEWSVC_{name}"] for name in ("SIGNING_KEY_FILE", "SIGNER_SOCKET")
    )
    assert signer["volumes"] == ["signer:/var/lib/signer", "signer-socket:/run/signer"]
    assert (Path(key).parent, Path(socket).parent) == (Path("/var/lib/signer"), Path("/run/signer"))
    assert worker["volumes"] == ["signer-socket:/run/signer:ro", EXPORTS, "worker:/var/lib/worker"]
    assert worker["environment"]["REVIEWSVC_ERASURE_JOURNAL"].startswith("/var/lib/worker/")
    assert _environment("worker")["REVIEWSVC_SIGNER_SOCKET"] == socket
    assert [name for name in OURS if "REVIEWSVC_SIGNING_KEY_FILE" in _environment(name)] == [SIGNER]


def test_bundles_that_the_worker_makes_are_there_for_the_web_process_to_give() -> None:
    assert OURS["web"]["volumes"] == [EXPORTS]
    folders = {_environment(name)["REVIEWSVC_EXPORT_DIR"] for name in ("web", "worker")}
    assert folders == {EXPORTS.partition(":")[2]}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_run_commands_and_settings_that_exist(name: str) -> None:
    command: click.Command | None = cli.cli
    for word in OURS[name]["command"]:
        if word.startswith("--"):
            break
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
        assert command is not None
    known = {setting for setting, _ in config.names()}
    assert [
        key for key in _environment(name) if key not in known and key.removesuffix("_FILE") not in known
    ] == []


@pytest.mark.parametrize("name", sorted(ON_DATA))
def test_each_process_is_given_what_it_cannot_do_without(name: str) -> None:
    given = {key.removesuffix("_FILE") for key in _environment(name)}
    assert {"DATABASE_URL", "REVIEWSVC_KEK", "REVIEWSVC_ORIGIN", "KAFKA_BOOTSTRAP_SERVERS"} <= given


def test_the_databases_folder_is_where_version_18_keeps_it() -> None:
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_the_script_of_the_manual_makes_every_secret(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "running.md").read_text()
    script = re.search(r"```sh\n(mkdir -p secrets.*?)```", manual, re.DOTALL)
    assert script
    subprocess.run(["sh", "-euc", script[1]], cwd=tmp_path, check=True)
    made = {f"./{path.relative_to(tmp_path)}": path.stat() for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == {secret["file"] for secret in COMPOSE["secrets"].values()}
    assert all(stat.st_mode & 0o077 == 0 and stat.st_size >= 64 for stat in made.values())
