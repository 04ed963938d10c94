"""What a bench measures: figures, each beside its target, as a table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One figure; without a target it is there for comparison, and `ok` then says nothing."""

    name: str
    value: float | None
    unit: str
    target: float | None = None
    ok: bool = True
    note: str = ""


def at_least(name: str, value: float, unit: str, target: float, *, share_of: Figure, share: float) -> Figure:
    """Judge a rate: reached, or in the same run this share of the bare loop of the same bytes."""
    assert share_of.value is not None
    part = value / share_of.value
    ok = value >= target or part >= share
    return Figure(name, value, unit, target, ok, f"{part:.0%} of {share_of.name} (or at least {share:.0%})")


def at_most(name: str, value: float, unit: str, target: float, note: str = "") -> Figure:
    """Judge what should be small."""
    return Figure(name, value, unit, target, value <= target, note)


def from_row(row: Mapping[str, Any]) -> Figure:
    """Take a figure as the benches of the queue and the desk give it."""
    return Figure(row["name"], row["value"], row["unit"], row["target"], row["ok"], row.get("load", ""))


def broken(name: str, fault: BaseException) -> Figure:
    """Say of a bench that it could not measure."""
    return Figure(name, None, "", None, ok=False, note=f"{type(fault).__name__}: {fault}")


def write(figures: Sequence[Figure], file: Path) -> None:
    """Write the figures as a JSON list of {name, value, unit, target, ok}."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = [{name: value for name, value in one._asdict().items() if name != "note"} for one in figures]
    file.write_text(json.dumps(kept, indent=1) + "\n")


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table("figure", "value", "unit", "target", "ok", "note")
    for column in (1, 3):
        table.columns[column].justify = "right"
    for one in figures:
        table.add_row(one.name, _number(one.value), one.unit, _number(one.target), _judged(one), one.note)
    console.print(table)
    missed = [one.name for one in figures if not one.ok]
    console.print("All targets are reached." if not missed else f"Not reached: {', '.join(missed)}.")


def _judged(one: Figure) -> str:
    """Say whether a target is reached; nothing where none is set, or nothing was measured."""
    if not one.ok:
        return "[red]no"
    return "" if one.target is None or one.value is None else "[green]yes"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"
