"""What `up` and `demo` keep on disk, and what a killed demo leaves behind."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from reviewsvc.demo.temporary import PREFIX, YOUNG_SECONDS, sweep
from reviewsvc.local.datafolder import DataFolder, usual_folder
from reviewsvc.local.folders import FolderInUseError, locked

pytestmark = pytest.mark.unit


def test_what_is_made_at_the_first_start_stays_the_same(tmp_path: Path) -> None:
    first, again = DataFolder(tmp_path), DataFolder(tmp_path)
    assert len(first.secret("web")) >= 40
    assert again.secret("web") == first.secret("web") != first.secret("database")
    key = first.kek_file().read_bytes()
    assert again.kek_file().read_bytes() == key


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.secret("web")
    folder.kek_file()
    folder.write_environment({"A": "1"})
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_the_environment_file_gives_a_shell_the_same_values(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write_environment({"REVIEWSVC_SECRET_KEY": 'a\'b $HOME "c"', "EMPTY": ""})
    script = f'set -a; . "{folder.environment}"; printf %s "$REVIEWSVC_SECRET_KEY${{EMPTY-unset}}"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == 'a\'b $HOME "c"unset'


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "new")
    with folder.in_use(), pytest.raises(FolderInUseError, match="another reviewsvc runs on"), folder.in_use():
        pass
    with folder.in_use():
        assert folder.logs.is_dir()


def test_data_lies_where_a_users_programs_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert usual_folder() == Path("/home/ada/.local/share/reviewsvc")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert usual_folder() == Path("/data/reviewsvc")


def test_what_a_killed_demo_left_is_swept_and_what_another_uses_stays(tmp_path: Path) -> None:
    left, used, young, other = (
        tmp_path / name for name in (f"{PREFIX}a", f"{PREFIX}b", f"{PREFIX}c", "else")
    )
    for each in (left, used, young, other):
        each.mkdir()
        (each / "data").write_text("x")
    now = young.stat().st_mtime + YOUNG_SECONDS - 1
    for each in (left, used, other):
        os.utime(each, (now - YOUNG_SECONDS - 1,) * 2)
    with locked(used):
        os.utime(used, (now - YOUNG_SECONDS - 1,) * 2)
        sweep(tmp_path, now)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([used.name, young.name, other.name])
