"""The wheel: builds, holds what it needs and no more, and migrates a database from a clean environment."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import psycopg
import pytest

from tests.contract.source import ROOT

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in an environment of its own that sees this one's dependencies; return its `bin`."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python"]
    command += [str(programs / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # A folder that a .pth file names is searched last, and the editable install's own .pth in it is not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def run(program: Path, *args: str, **settings: str) -> str:
    """Run a program far from the repository, with these settings alone, and return what it printed."""
    environment = {"PATH": os.environ["PATH"], **settings}
    done = subprocess.run(
        [str(program), *args], cwd="/", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_code_pages_and_migrations_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"reviewsvc", "consumers"}
    assert "reviewsvc/_migrations/env.py" in names
    assert any(name.endswith(".html") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert [name for name in names if name.endswith(".pyc") or "tests/" in name] == []


def test_the_installed_package_is_the_wheels_own(installed: Path) -> None:
    place = run(installed / "python", "-c", "import reviewsvc.cli as cli; print(cli.__file__)")
    assert place.startswith(str(installed.parent))


def test_a_clean_install_of_the_wheel_makes_the_tables(installed: Path, empty_owner_url: str) -> None:
    run(installed / "reviewsvc", "db", "upgrade", DATABASE_OWNER_URL=empty_owner_url)
    with psycopg.connect(empty_owner_url) as session:
        found = session.execute("SELECT to_regclass('entry') IS NOT NULL").fetchone()
    assert found == (True,)
