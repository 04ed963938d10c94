"""Files of keys and memories: killed at any moment, changed by several at once, none of them is lost."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from reviewsvc.crypto import kek, owned_files, signing_keys
from reviewsvc.crypto.notes import parse_signer
from reviewsvc.crypto.signer_state import SignerState
from reviewsvc.domain.signing import SigningError, Tip

pytestmark = pytest.mark.unit

AT_ONCE = 8


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_who_is_stopped_while_a_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "kek"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if call == "write":
            patched.setattr(os, "fdopen", stop)
        else:
            patched.setattr(os, "fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            kek.make_kek_file(path)
    assert list(tmp_path.iterdir()) == []
    made = kek.make_kek_file(path).kek_ids()
    assert kek.make_kek_file(path).kek_ids() == made
    assert not owned_files.create(path, b"another")


def at_once(act: Callable[[], str]) -> set[str]:
    start = Barrier(AT_ONCE)

    def run(_number: int) -> str:
        start.wait()
        return act()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return set(pool.map(run, range(AT_ONCE)))


def test_of_keys_that_several_make_at_once_none_is_lost(tmp_path: Path) -> None:
    first = kek.make_kek_file(tmp_path / "kek").kek_ids()
    made = at_once(lambda: kek.load_kek(tmp_path / "kek").renew())
    assert set(kek.load_kek(tmp_path / "kek").kek_ids()) == {*made, *first}
    signing_keys.make(tmp_path / "key", "audit.example.org")
    added = at_once(lambda: signing_keys.add(tmp_path / "key").text())
    assert added < {each.text() for each in signing_keys.load(tmp_path / "key")}
    assert all(parse_signer(each).name == "audit.example.org" for each in added)


def test_a_memory_is_read_anew_though_its_file_looks_as_before(tmp_path: Path) -> None:
    path, tip = tmp_path / "state", Tip("audit.example.org/root/0", 7, "07" * 32)
    one, other = SignerState(path), SignerState(path)
    one.begin()
    os.utime(path, ns=(1, 1))
    with one.locked() as tips:
        assert tips == {}
    with other.locked() as tips:
        other.write({**tips, tip.origin: tip})
    changed = path.read_bytes()
    path.unlink()
    with path.open("xb") as file:
        file.write(changed)
    os.utime(path, ns=(1, 1))
    with one.locked() as tips:
        assert tips == {tip.origin: tip}


def test_a_memory_that_cannot_be_locked_or_is_empty_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    state = SignerState(tmp_path / "state")
    (tmp_path / "state").touch()
    with pytest.raises(SigningError, match="damaged: put back"), state.locked():
        pass
    (tmp_path / "state.lock").unlink()
    (tmp_path / "state.lock").mkdir()
    with pytest.raises(SigningError, match="cannot be locked"), state.locked():
        pass
