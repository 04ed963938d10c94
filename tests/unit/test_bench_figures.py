"""How a bench's figures are judged and written."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks.figures import Figure, at_least, at_most, broken, show, write

pytestmark = pytest.mark.unit

BARE = Figure("bare", 10_000.0, "events/s")


@pytest.mark.parametrize(
    ("value", "ok"), [(20_000.0, True), (19_999.0, True), (5_000.0, True), (4_999.0, False)]
)
def test_a_rate_holds_when_it_is_reached_or_is_that_share_of_the_bare_loop(value: float, ok: object) -> None:
    assert at_least("rate", value, "events/s", 20_000, share_of=BARE, share=0.5).ok is ok


def test_a_reached_rate_holds_however_fast_the_bare_loop_is() -> None:
    fast = BARE._replace(value=1e9)
    assert at_least("rate", 20_000, "events/s", 20_000, share_of=fast, share=0.5).ok


@pytest.mark.parametrize(("value", "ok"), [(249.9, True), (250.0, True), (250.1, False)])
def test_what_should_be_small_must_not_exceed_its_target(value: float, ok: object) -> None:
    assert at_most("rss", value, "MiB", 250).ok is ok


def test_figures_are_written_as_a_list_of_the_five_members(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    write([at_most("rss", 240, "MiB", 250, "a note"), broken("desk", OSError("no browser"))], file)
    assert json.loads(file.read_text()) == [
        {"name": "rss", "value": 240, "unit": "MiB", "target": 250, "ok": True},
        {"name": "desk", "value": None, "unit": "", "target": None, "ok": False},
    ]


def test_the_table_shows_each_figure_beside_its_target_and_what_was_not_reached() -> None:
    told = StringIO()
    figures = [BARE, at_most("rss", 260.5, "MiB", 250), broken("desk", OSError("no browser"))]
    show(figures, Console(file=told, width=120))
    text = told.getvalue()
    assert "10,000" in text
    assert "260.50" in text
    assert "OSError: no browser" in text
    assert text.rstrip().endswith("Not reached: rss, desk.")


def test_a_figure_without_a_value_is_not_said_to_be_reached() -> None:
    told = StringIO()
    show([Figure("two", None, "entries/s", 200_000)], Console(file=told, width=120))
    assert "yes" not in told.getvalue()
