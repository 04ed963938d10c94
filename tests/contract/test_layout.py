"""The house: sizes, names, what may import what, and that every exception gives its reason."""

import ast
import re
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.contract import source

pytestmark = pytest.mark.unit

LONGEST_FILE = 400
LONGER = {"reviewsvc/verify.py": 900}
LONGEST_FUNCTION = 50
USUAL_FUNCTION = 10
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
UNFINISHED = re.compile(
    r"\b(TO"
    r"DO|FIX"
    r"ME|XX"
    r"X|NotImplemented"
    r"Error|pytest\.(skip|xfail|importorskip)|mark\.(skip|xfail))\b"
)
# No package brings Chromium or a PostgreSQL with TLS: without them their tests are skipped, never in CI.
MAY_SKIP = {"tests/fixtures/browser.py: pytest.skip(HOW)", "tests/fixtures/tls.py: pytest.skip(HOW)"}
IGNORE = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)")
REASONED = re.compile(r"#\s*(noqa:[A-Z0-9, ]+ - \S|type: ignore\[[a-z, -]+\]\s+# \S)")
STANDARD = set(sys.stdlib_module_names)

# What a room may import beside the standard library; a whole room, or one module and what is in it.
MAY_IMPORT = {
    "reviewsvc/verify.py": (),
    "reviewsvc/domain": ("msgspec", "reviewsvc.domain"),
    "reviewsvc/db/hot": ("psycopg", "msgspec", "reviewsvc.db.hot", "reviewsvc.domain"),
    "reviewsvc/client.py": (),
    "reviewsvc/local/tether.py": (),
    "migrations": ("alembic", "sqlalchemy"),
}


@pytest.mark.parametrize("room", source.ROOMS)
def test_no_file_is_longer_than_a_reader_can_hold(room: str) -> None:
    lengths = {source.shown(path): len(path.read_text().splitlines()) for path in source.files(room)}
    assert lengths
    assert [f"{name}: {n}" for name, n in lengths.items() if n > LONGER.get(name, LONGEST_FILE)] == []


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = [each for path in source.modules(*source.OURS) for each in source.functions(path)]
    assert [f"{name}: {n} lines" for name, n in lengths if n > LONGEST_FUNCTION] == []


def test_most_functions_are_short() -> None:
    assert (
        median(n for path in source.modules(*source.OURS) for _, n in source.functions(path))
        <= USUAL_FUNCTION
    )


def test_no_file_is_named_after_nothing() -> None:
    assert [source.shown(path) for path in source.files() if path.stem in NAMELESS] == []


def test_init_files_hold_no_code() -> None:
    inits = [path for path in source.files() if path.name == "__init__.py"]
    assert inits
    assert [source.shown(path) for path in inits if not _is_silent(source.tree(path))] == []


def _is_silent(tree: ast.Module) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree.body)


def test_nothing_is_left_unfinished_or_skipped() -> None:
    assert {re.sub(r":\d+ ", ": ", line) for line in _lines_with(UNFINISHED)} - MAY_SKIP == set()


def test_every_ignore_gives_its_reason() -> None:
    assert [line for line in _lines_with(IGNORE) if not REASONED.search(line)] == []


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{source.shown(path)}:{number} {line.strip()}"
        for path in source.files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_closed_room_imports_only_what_it_may(room: str) -> None:
    read = list(source.modules(room))
    assert read
    assert [
        f"{source.shown(path)} imports {name}"
        for path in read
        for name in source.imports(path)
        if name.partition(".")[0] not in STANDARD and not _allowed(name, MAY_IMPORT[room])
    ] == []


def _allowed(name: str, rooms: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms)


def test_consumers_and_verification_know_only_the_hot_part_of_the_database() -> None:
    closed = source.modules("consumers", "reviewsvc/usecases/verification.py", "reviewsvc/commands/audit.py")
    assert [
        f"{source.shown(path)} imports {name}"
        for path in closed
        for name in source.imports(path)
        if name.startswith("reviewsvc.db") and not _allowed(name, ("reviewsvc.db.hot",))
    ] == []


def test_public_functions_say_in_a_sentence_what_they_do() -> None:
    silent = [
        f"{source.shown(path)}:{node.lineno} {node.name}"
        for path in source.modules(*source.OURS)
        for node in source.tree(path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_errors_are_named_errors() -> None:
    wrong = [
        f"{source.shown(path)}:{node.lineno} {node.name}"
        for path in source.modules(*source.OURS)
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.ClassDef)
        and any(
            isinstance(parent, ast.Name) and parent.id in {"Exception", "ValueError"} for parent in node.bases
        )
        and not node.name.endswith("Error")
    ]
    assert wrong == []
