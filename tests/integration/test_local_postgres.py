import os
import shutil
from pathlib import Path

import psycopg
import pytest

from reviewsvc.local.cluster import PostgresFailedError
from reviewsvc.local.folders import FolderInUseError, unprivileged_user
from reviewsvc.local.pgbinaries import PostgresMissingError, binaries_for, find_binaries
from reviewsvc.local.postgres import Postgres
from tests.fixtures.processes import all_gone, kill, next_line, parent

pytestmark = pytest.mark.real

HOUSE = """
import sys
from pathlib import Path
from reviewsvc.local.postgres import Postgres
with Postgres.start(Path(sys.argv[1])) as server:
    print(server.process.pid)
    print(server.owner_url)
    sys.stdin.read()
"""


def test_data_outlives_a_restart_and_a_stop_is_clean(reachable_folder: Path) -> None:
    with Postgres.start(reachable_folder) as server, psycopg.connect(server.owner_url) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS n")
        session.commit()
        assert session.execute("SHOW data_checksums").fetchone() == ("on",)
        assert session.execute("SELECT lower('Ä')").fetchone() == ("ä",)
    with Postgres.start(reachable_folder) as server, psycopg.connect(server.owner_url) as session:
        assert session.execute("SELECT n FROM kept").fetchone() == (1,)
    assert "was not properly shut down" not in (reachable_folder / "postgres.log").read_text()


def test_only_this_machine_reaches_it_and_only_with_the_password(reachable_folder: Path) -> None:
    with Postgres.start(reachable_folder, settings={"work_mem": "7MB"}) as server:
        with psycopg.connect(server.owner_url) as session:
            assert session.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
            assert session.execute("SHOW unix_socket_directories").fetchone() == ("",)
            assert session.execute("SHOW work_mem").fetchone() == ("7MB",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url(password="guessed"))
    assert (reachable_folder / "password").stat().st_mode & 0o077 == 0


def test_a_killed_parent_leaves_no_server_and_the_data_starts_again(reachable_folder: Path) -> None:
    with parent(HOUSE, reachable_folder) as house:
        pid, url = int(next_line(house)), next_line(house)
        with psycopg.connect(url) as session:
            session.execute("CREATE TABLE kept AS SELECT 1 AS n")
        kill(house)
        with Postgres.start(reachable_folder) as server, psycopg.connect(server.owner_url) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (1,)
        assert all_gone([pid])


def test_a_lock_file_that_names_another_program_is_no_hindrance(reachable_folder: Path) -> None:
    with Postgres.start(reachable_folder):
        pass
    (reachable_folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with Postgres.start(reachable_folder) as server, psycopg.connect(server.owner_url) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_two_on_the_same_folder_are_refused(reachable_folder: Path) -> None:
    start = Postgres.start
    refused = pytest.raises(FolderInUseError, match="another reviewsvc runs on")
    with start(reachable_folder), refused, start(reachable_folder):
        pass


def test_a_setting_that_stops_the_server_shows_the_end_of_its_log(reachable_folder: Path) -> None:
    refused = pytest.raises(PostgresFailedError, match=r"did not start(.|\n)*no_such_setting")
    with refused, Postgres.start(reachable_folder, settings={"no_such_setting": 1}):
        pass


def test_an_old_postgresql_is_refused_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initdb", "postgres"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.9'\n")
        program.chmod(0o755)
    monkeypatch.setenv("REVIEWSVC_PG_BIN", str(tmp_path))
    with pytest.raises(PostgresMissingError, match="REVIEWSVC_PG_BIN is PostgreSQL 15"):
        find_binaries()


def test_programs_out_of_the_users_reach_are_copied_into_it(
    reachable_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = reachable_folder / "hidden"
    package = find_binaries().parent.parent
    for tree in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(tree, hidden / tree.name, symlinks=True)
    hidden.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(reachable_folder / "cache"))
    monkeypatch.setenv("REVIEWSVC_PG_BIN", str(hidden / package.name / "pginstall" / "bin"))
    user = unprivileged_user()
    programs = binaries_for(user, find_binaries())
    assert programs.is_relative_to(reachable_folder / ("hidden" if user is None else "cache"))
    with Postgres.start(reachable_folder / "data") as server, psycopg.connect(server.owner_url) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_data_in_a_folder_out_of_the_users_reach_lies_elsewhere_and_is_found_again(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "data"
    with Postgres.start(folder) as server, psycopg.connect(server.owner_url) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS n")
    try:
        with Postgres.start(folder) as server, psycopg.connect(server.owner_url) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (1,)
        assert (folder / "moved-to").exists() == (unprivileged_user() is not None)
    finally:
        if (folder / "moved-to").exists():
            shutil.rmtree((folder / "moved-to").read_text())
