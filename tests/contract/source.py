"""The repository's own files, as the contract tests read them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("reviewsvc", "consumers", "migrations", "tests")
OURS: Final = ("reviewsvc", "consumers")
TEXTS: Final = frozenset({".py", ".js", ".css", ".html", ".sql", ".sh", ".mako"})
ELSEWHERE: Final = frozenset({"vendor", "vectors", "__pycache__"})


def files(*rooms: str) -> Iterator[Path]:
    """Yield the text files of these rooms (of all, if none is named), other people's left out."""
    for room in rooms or ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in TEXTS and ELSEWHERE.isdisjoint(path.relative_to(ROOT).parts):
                yield path


def modules(*rooms: str) -> Iterator[Path]:
    """Yield the Python files of these rooms; a room may be one file."""
    for room in rooms:
        place = ROOT / room
        yield from (
            [place] if place.suffix == ".py" else (path for path in files(room) if path.suffix == ".py")
        )


@cache
def tree(path: Path) -> ast.Module:
    """Parse a Python file, once."""
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function of a module with its length in lines."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (
                f"{shown(path)}:{node.lineno} {node.name}",
                (node.end_lineno or node.lineno) - node.lineno + 1,
            )


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it; a name per imported name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shown(path: Path) -> str:
    """Return a file's name as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()
