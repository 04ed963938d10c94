"""The make targets, and the one clear line where a machine lacks something."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

MAKEFILE: Final = (ROOT / "Makefile").read_text()
TARGETS: Final = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
PLAIN: Final = ("sh", "bash", "env", "id", "ls", "rm", "grep", "true", "cat", "sed", "tail", "test")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with the plainest programs alone: no Python, no apt-get, no Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PLAIN:
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def run(*command: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the repository's scripts with nothing but this PATH."""
    given = {"PATH": str(path), **environment}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def program(folder: Path, name: str, text: str) -> Path:
    """Write a shell script that stands for a program."""
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return place


def test_make_alone_lists_every_command_of_the_issue() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")}
    assert listed == TARGETS
    assert listed >= {"demo", "test", "venv", "check", "bench", "bench-capture", "test-long", "wheel", "up"}


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_documents_name_only_targets_that_exist() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {target for page in pages for target in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named <= TARGETS


def test_no_python_is_one_line_that_says_what_to_do(bare_path: Path, tmp_path: Path) -> None:
    done = run(".ci/venv", str(tmp_path / "venv"), "", path=bare_path)
    assert done.returncode == 1
    assert re.fullmatch(
        r"reviewsvc needs Python 3\.11 or newer, and finds no Python: .*PYTHON=.*\n", done.stderr
    )


def test_an_old_python_is_told_by_name(bare_path: Path, tmp_path: Path) -> None:
    old = program(bare_path, "python3.9", "exit 1")
    done = run(".ci/venv", str(tmp_path / "venv"), str(old), path=bare_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{old} is not a Python 3.11 or newer")
    assert done.stderr.count("\n") == 1


def test_a_python_without_venv_says_which_package_to_install(bare_path: Path, tmp_path: Path) -> None:
    case = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac'
    lacking = program(bare_path, "python3", case)
    done = run(".ci/venv", str(tmp_path / "venv"), str(lacking), path=bare_path)
    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_no_network_is_one_line_that_says_what_to_do(bare_path: Path, tmp_path: Path) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3", "touch"):
        program(bare_path, name, "exit 0")
    environment = tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    program(environment / "bin", "python", "echo 'ERROR: no route to host' >&2; exit 1")
    make = shutil.which("make") or "make"
    done = run(make, "venv", f"VENV={environment}", path=bare_path)
    ours = [line for line in done.stderr.splitlines() if not line.startswith(("make: ", "Installing "))]
    assert done.returncode == 2
    assert [line.partition(": ")[2] for line in ours] == [
        "without a network, reach one or name a mirror in PIP_INDEX_URL, then start again."
    ]


def test_tests_that_need_a_missing_browser_are_left_out_with_a_line(bare_path: Path) -> None:
    program(bare_path, "openssl", "exit 1")
    program(bare_path, "pg_config", "exit 1")
    done = run(".ci/tools", path=bare_path)
    assert done.returncode == 0
    assert " and not browser" in done.stdout
    assert "apt-get install chromium" in done.stderr


def test_with_ci_a_missing_browser_is_a_failure(bare_path: Path) -> None:
    done = run(".ci/tools", path=bare_path, CI="true")
    assert done.returncode == 1
    assert "CI=true leaves no test out" in done.stderr


def test_nothing_is_left_out_where_all_is_there(bare_path: Path) -> None:
    for name in ("chromium", "openssl"):
        program(bare_path, name, "exit 0")
    program(
        bare_path, "pg_config", f'case "$1" in --bindir) echo {bare_path};; *) echo --with-ssl=openssl;; esac'
    )
    program(bare_path, "initdb", "exit 0")
    done = run(".ci/tools", path=bare_path, CI="true")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_scripts_can_be_run() -> None:
    assert all(os.access(ROOT / ".ci" / name, os.X_OK) for name in ("run", "tools", "venv"))
