"""Log-ins of processes: made once or again, able to act as their group and as nothing more."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from reviewsvc import cli
from reviewsvc.db import logins, schema
from reviewsvc.db.hot.connection import RoleError, connect
from reviewsvc.db.schema import GROUPS

pytestmark = pytest.mark.real


@pytest.fixture
def login(owner_url: str) -> Iterator[str]:
    """Name a log-in that no other test has; it is dropped after the test."""
    name = f"o'hara %/{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(owner_url) as session:
        session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def test_a_log_in_acts_as_its_group_and_as_no_other(owner_url: str, login: str) -> None:
    url = logins.make(owner_url, login, "p@ss/w:ord%", ["web"])
    with connect(url, "web") as session:
        assert session.execute("SELECT current_user::text").fetchone() == ("reviewsvc_web",)
    with pytest.raises(RoleError, match="no member of reviewsvc_worker"):
        connect(url, "worker")


def test_made_again_it_has_the_new_password(owner_url: str, login: str) -> None:
    before = logins.make(owner_url, login, "first", ["read"])
    after = logins.make(owner_url, login, "second", ["read"])
    connect(after, "read").close()
    with pytest.raises(psycopg.OperationalError):
        connect(before, "read")


@pytest.fixture
def plain_owner_url(empty_owner_url: str) -> Iterator[str]:
    """An owner as services that are rented give one: no superuser, who may make roles."""
    name = f"plain_{secrets.token_hex(4)}"
    url = logins._as(empty_owner_url, name, "plain")
    owned = sql.SQL("ALTER DATABASE {} OWNER TO {}")
    with psycopg.connect(empty_owner_url) as session:
        session.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'plain'").format(sql.Identifier(name))
        )
        session.execute(owned.format(sql.Identifier(session.info.dbname), sql.Identifier(name)))
        for group in GROUPS:
            grant = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION")
            session.execute(grant.format(sql.Identifier(f"reviewsvc_{group}"), sql.Identifier(name)))
    yield url
    with psycopg.connect(empty_owner_url) as session:
        session.execute(owned.format(sql.Identifier(session.info.dbname), sql.SQL("CURRENT_USER")))
        session.execute(sql.SQL("DROP OWNED BY {0} CASCADE").format(sql.Identifier(name)))
        session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_an_owner_who_is_no_superuser_upgrades_and_makes_log_ins_again_and_again(
    plain_owner_url: str, login: str
) -> None:
    for password in ("first", "second"):
        schema.upgrade(plain_owner_url)
        url = logins.make(plain_owner_url, login, password, ["web"])
        connect(url, "web").close()


def test_who_may_do_more_is_made_no_log_in(owner_url: str) -> None:
    with pytest.raises(logins.LoginError, match="may do more than a process may"):
        logins.make(owner_url, str(urlsplit(owner_url).username), "password", ["web"])


def test_nobody_becomes_the_owner_this_way(owner_url: str, login: str) -> None:
    with pytest.raises(logins.LoginError, match="there is no process owner"):
        logins.make(owner_url, login, "password", ["owner"])


def test_the_upgrade_makes_the_log_ins_of_the_files_that_it_is_given(
    owner_url: str, login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = logins._as(owner_url, login, secrets.token_hex(16))
    (tmp_path / "database_relay").write_text(f"{url}\n")
    monkeypatch.setenv("DATABASE_OWNER_URL", owner_url)
    with pytest.raises(SystemExit) as ended:
        cli.main(["db", "upgrade", f"--login=relay={tmp_path / 'database_relay'}"])
    assert ended.value.code == 0
    connect(url, "relay").close()


def test_a_file_that_is_not_there_is_one_clear_line(
    owner_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", owner_url)
    with pytest.raises(SystemExit) as ended:
        cli.main(["db", "upgrade", "--login=web=/nowhere"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: /nowhere: No such file or directory\n"
