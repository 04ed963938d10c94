"""What the strict content-security policy forbids is nowhere in the pages, and what they name exists."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

CONSOLE = Path(__file__).parents[2] / "reviewsvc" / "console"
STATIC = CONSOLE / "static"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
SCRIPTS = sorted((STATIC / "desk").glob("*.js"))
INLINE = re.compile(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


def found(pattern: str, paths: list[Path]) -> set[str]:
    return {match for path in paths for match in re.findall(pattern, path.read_text())}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_style_or_script(template: Path) -> None:
    assert not INLINE.search(template.read_text())


def test_no_script_writes_inline_style_or_evaluates_text() -> None:
    assert not found(r"\.style\b|\beval\(|new Function|setAttribute\(\"style", SCRIPTS)


def test_every_asset_that_a_template_names_exists() -> None:
    named = found(r"asset\('([^']+?)'\s*[,)]", TEMPLATES)
    assert named
    assert [name for name in named if not (STATIC / name).is_file()] == []


def test_every_script_that_a_script_imports_exists() -> None:
    named = found(r"from \"\./([a-z]+\.js)\"|import \"\./([a-z]+\.js)\"", SCRIPTS)
    assert [name for pair in named for name in pair if name and not (STATIC / "desk" / name).is_file()] == []


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (STATIC / "vendor/lucide/icons.svg").read_text()
    named = found(r"icon\(\"([a-z0-9-]+)\"\)", TEMPLATES) | found(r"empty\(\"([a-z0-9-]+)\"", TEMPLATES)
    assert named
    assert [name for name in named if f'<symbol id="{name}"' not in sprite] == []


@pytest.mark.parametrize("folder", sorted((STATIC / "vendor").iterdir()), ids=lambda path: path.name)
def test_vendored_files_are_the_ones_that_were_noted(folder: Path) -> None:
    name, digest = re.findall(r"SHA-384 of (\S+): (\S+)", (folder / "README.md").read_text())[0]
    assert base64.b64encode(hashlib.sha384((folder / name).read_bytes()).digest()).decode() == digest
    assert (folder / "LICENSE").is_file()
