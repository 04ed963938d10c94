"""The image: two stages, locked requirements, no root, only files that exist."""

import re
import tomllib
from typing import Final

import pytest

from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

TEXT: Final = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
STEPS: Final = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
STAGES: Final = [rest for word, rest in STEPS if word == "FROM"]


def last_stage() -> dict[str, str]:
    """Return the last stage's instructions; of those given twice the last."""
    final = len(STEPS) - 1 - [word for word, _ in reversed(STEPS)].index("FROM")
    return dict(STEPS[final:])


def copied() -> list[str]:
    """Return what is copied from the repository."""
    sources = [rest.split()[:-1] for word, rest in STEPS if word == "COPY" and "--from=" not in rest]
    return [each for several in sources for each in several]


def test_it_builds_in_one_stage_and_runs_in_another_on_the_same_pinned_python() -> None:
    build, run = STAGES
    assert re.fullmatch(r"python:3\.\d+-slim-\w+ AS build", build)
    assert run == build.removesuffix(" AS build")


def test_what_it_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied()
    assert [each for each in copied() if not (ROOT / each).exists()] == []
    assert {each.split("/")[0] for each in copied()} == sent


def test_every_package_is_installed_by_hash_or_from_the_wheel_just_built() -> None:
    installs = re.findall(r"pip install ([^&]*)", TEXT)
    assert installs
    assert [each for each in installs if "--require-hashes" not in each and "--no-index" not in each] == []
    assert "-r requirements/run.txt" in TEXT


def test_the_wheels_own_files_are_all_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {*wheel["packages"], *wheel["force-include"], *project["project"]["license-files"]}
    assert wanted | {project["project"]["readme"], "pyproject.toml"} <= set(copied())


def test_it_runs_as_nobody_special_and_leaves_health_to_each_process() -> None:
    stage = last_stage()
    assert stage["USER"] == "10001:10001"
    assert "useradd --uid 10002 --gid reviewsvc" in TEXT
    assert stage["HEALTHCHECK"] == "NONE"
    assert stage["ENTRYPOINT"] == '["reviewsvc"]'


def test_no_secret_is_built_in() -> None:
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|KEK|DATABASE_URL)\w*=", TEXT)
