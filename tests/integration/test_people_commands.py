"""`reviewsvc users`, `tokens` and `apply` on a real database."""

import getpass
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reviewsvc import cli
from reviewsvc.db import tables as t
from reviewsvc.usecases import auth, tokens
from tests.fixtures.installed import House
from tests.integration.test_apply import CONTRACT, LOANS

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def settings(database_url: str, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kek = tmp_path / "kek"
    kek.write_bytes(bytes(range(32)))
    kek.chmod(0o600)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REVIEWSVC_KEK_FILE", str(kek))
    monkeypatch.setenv("REVIEWSVC_ORIGIN", house.installation.origin)


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def command(*words: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return command


def test_an_added_person_logs_in_with_the_password_that_was_shown(run: Any, house: House) -> None:
    added = run(
        "users", "add", "ada@example.org", "--grant", "reviewer@queue:first", "--grant", "data", "--json"
    )
    assert added.code == 0, added.err
    session_id = auth.log_in(
        house.sessions,
        house.keyring,
        "ada@example.org",
        added.told["password"],
        at=house.installation.opened_at,
        rules=auth.Rules(),
    )
    assert session_id
    (person,) = run("users", "list", "--json").told["items"]
    assert person["grants"] == [
        {"role": "data", "scope": "*"},
        {"role": "reviewer", "scope": "queue:first"},
    ]


def test_a_password_from_stdin_is_not_shown(run: Any) -> None:
    added = run("users", "add", "ada", "--password-stdin", stdin="twelve letters and more\n")
    assert (added.code, "twelve" in added.out + added.err) == (0, False)
    changed = run("users", "password", "ada", "--json")
    assert set(changed.told) == {"login", "person_id", "password"}


def test_roles_are_given_and_taken_in_the_name_of_the_system_user_or_another(run: Any, house: House) -> None:
    run("users", "add", "ada")
    held = ("ada", "reviewer", "--on", "queue:first")
    first = run("users", "grant", *held)
    assert "is now reviewer on queue:first" in first.out
    assert "There is no queue first yet" in first.err
    assert "was already" in run("users", "grant", *held).out
    assert "no longer" in run("users", "revoke", *held, "--as", "eve").out
    assert "disabled" in run("users", "disable", "ada").out
    with house.sessions.begin() as session:
        found = session.execute(sa.select(t.activity.c.kind, t.activity.c.actor))
        actors = {row.kind: row.actor for row in found}
    assert (actors["granted"], actors["grant_ended"]) == (f"cli:{getpass.getuser()}", "cli:eve")


def test_a_fault_is_one_line_and_adds_nobody(run: Any) -> None:
    for words in (["add", "a b"], ["add", "ada", "--grant", "king"], ["grant", "nobody", "reviewer"]):
        ran = run("users", *words)
        assert (ran.code, len(ran.err.splitlines())) == (1, 1)
        assert ran.err.startswith("Error: ")
    assert run("users", "list", "--json").told == {"items": []}


def test_a_token_is_shown_once_and_works_until_it_is_ended(run: Any, house: House) -> None:
    run("users", "add", "ada")
    made = run("tokens", "create", "ada", "--name", "nightly", "--scope", "labels.pull", "--json").told
    at = house.installation.opened_at
    assert tokens.current(house.sessions, made["token"], at=at) is not None
    (listed,) = run("tokens", "list", "ada", "--json").told["items"]
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert "has ended" in run("tokens", "end", made["token_id"]).out
    assert tokens.current(house.sessions, made["token"], at=at) is None


def test_apply_shows_what_differs_asks_and_is_idempotent(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "loans.yaml"
    file.write_text(LOANS)
    refused = run("apply", "-f", str(file), stdin="n\n")
    assert "+ risk_tier" in refused.out
    assert "Nothing changed." in refused.out
    shown = run("apply", "-f", str(file), "--json").told
    assert (shown["applied"], len(shown["changes"])) == (False, 3)
    assert "3 applied." in run("apply", "-f", str(file), stdin="y\n").out
    assert run("apply", "-f", str(file), "--yes", "--json").told == {"applied": True, "changes": []}


def test_apply_names_file_and_line_of_each_fault(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "loans.yaml"
    file.write_text(CONTRACT.replace("high", "huge").replace("owner: credit desk\n", ""))
    ran = run("apply", "-f", str(file), "--yes")
    assert ran.code == 1
    assert f"{file}:3: risk_tier: expected one of" in ran.err
    assert f"{file}:1: owner: expected" in ran.err


def test_a_document_given_twice_is_a_fault(run: Any, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(CONTRACT)
    ran = run("apply", "-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml"), "--yes")
    assert (ran.code, "expected each contract once" in ran.err) == (1, True)
