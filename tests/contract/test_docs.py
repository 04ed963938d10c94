"""The documents say what the code does: map, settings, commands, dependencies, links."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from reviewsvc import config
from tests.contract import commands_page
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

ELSEWHERE: Final = {"REVIEWSVC_PG_BIN", "REVIEWSVC_URL", "REVIEWSVC_TOKEN"}
ROW: Final = re.compile(r"^\| `([A-Z_]+)` \|(.*?)\| (.+) \|$", re.MULTILINE)
ARROWS: Final = 8
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def documented() -> dict[str, str]:
    """Return each setting of the page with its default, as a reader sees it."""
    rows = ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    assert len(rows) == len({name for name, *_ in rows})
    return {name: default.strip("` ") for name, default, _ in rows}


def default_as_shown(default: object) -> str:
    """Return a default as the page writes it."""
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(default) if isinstance(default, tuple) else str(default)


def test_every_setting_is_documented_with_its_default_and_no_other_is() -> None:
    page = documented()
    real = {name: default_as_shown(default) for name, default in config.names()}
    assert {name: page[name] for name in page if name not in ELSEWHERE} == real


def declared_metrics() -> set[str]:
    """Return the metrics that the code declares, as Prometheus reads their names."""
    sources = [path for room in ("reviewsvc", "consumers") for path in (ROOT / room).rglob("*.py")]
    found = re.findall(
        r"(Counter|Gauge|Histogram)\(\s*\"(reviewsvc_\w+)\"", "\n".join(map(Path.read_text, sources))
    )
    return {f"{name}_total" if kind == "Counter" else name for kind, name in found}


def test_every_metric_is_documented_and_alerts_name_no_other() -> None:
    page = (ROOT / "docs" / "running.md").read_text().partition("## Watching it")[2]
    rows = "".join(line for line in page.splitlines() if line.startswith("| `reviewsvc_"))
    assert set(re.findall(r"`(reviewsvc_\w+)`", rows)) == declared_metrics()
    assert set(re.findall(r"expr:.*?\b(reviewsvc_\w+)", page)) <= declared_metrics()


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert commands_page.PAGE.read_text() == commands_page.rendered(), "run: make docs"


def test_every_arrow_of_the_map_names_a_file_that_exists() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## The map\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|") and "`" in line]
    assert len(rows) >= ARROWS
    named = [(row, re.findall(r"`([\w/.-]+\.(?:py|sql|js|html))`", row)) for row in rows]
    assert [row for row, places in named if not places] == []
    assert [place for _, places in named for place in places if not (ROOT / place).is_file()] == []


def test_every_room_of_the_map_is_said_in_a_sentence() -> None:
    readme = (ROOT / "README.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "reviewsvc").glob("*/__init__.py")]
    assert rooms
    assert [room for room in rooms if f"`{room}/`" not in readme and f"{room}/ " not in readme] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_outsiders_are_told_the_sha256_of_the_verifier() -> None:
    told = re.findall(
        r"^ +verify\.py  ([0-9a-f]{64})$", (ROOT / "docs/verifying.md").read_text(), re.MULTILINE
    )
    assert told == [hashlib.sha256((ROOT / "reviewsvc/verify.py").read_bytes()).hexdigest()]


def test_every_dependency_is_given_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    names = {re.split(r"[\[<>=~ ]", each)[0] for each in wanted if isinstance(each, str)}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    reasoned = set(re.findall(r"^\| `([\w.-]+)`(?:\[[\w,]+\])? \| \S", page, re.MULTILINE))
    assert names <= reasoned, names - reasoned
    assert reasoned - names == {"hatchling"}


def test_locked_requirements_agree_and_name_no_index() -> None:
    locks = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    assert [name for name, text in locks.items() if "://" in text] == []
    pins = {
        name: set(re.findall(r"^[\w.\[\],-]+==[^\s;]+", text, re.MULTILINE)) for name, text in locks.items()
    }
    assert pins["run.txt"] < pins["demo.txt"] < pins["dev.txt"]
    assert pins["build.txt"] < pins["demo.txt"]
