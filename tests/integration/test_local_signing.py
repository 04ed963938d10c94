"""The key that `up` and `demo` make: once, for its owner alone, also on data that is older than it."""

from pathlib import Path

import pytest

from reviewsvc.config import Settings
from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.signer_state import SignerState
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import SigningError
from reviewsvc.local import processes
from reviewsvc.local.datafolder import DataFolder
from reviewsvc.local.signing import SigningKeyMissingError, with_signing_key
from reviewsvc.usecases import signing_keys
from tests.fixtures.installed import ORIGIN, House

pytestmark = pytest.mark.real


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, origin=ORIGIN, data_dir=tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def announced(sessions: Sessions) -> list[str]:
    with sessions.begin() as session:
        return [each.verifier.text() for each in signing_keys.history(session)]


def test_an_installation_without_a_key_gets_one_and_keeps_it(
    house: House, settings: Settings, folder: DataFolder, worker_sessions: Sessions
) -> None:
    told = with_signing_key(settings, folder, house.keyring)
    key = Path(told.signing_key_file)
    assert [path.stat().st_mode & 0o777 for path in (key, Path(told.signer_state_file))] == [0o600, 0o600]
    vkeys = announced(worker_sessions)
    assert vkeys == [each.verifier().text() for each in files.load(key)]
    before = key.read_bytes()
    assert with_signing_key(settings, folder, house.keyring) == told
    assert (announced(worker_sessions), key.read_bytes()) == (vkeys, before)


def test_a_first_start_that_was_cut_off_is_made_good(
    house: House, settings: Settings, folder: DataFolder, worker_sessions: Sessions
) -> None:
    files.make(folder.path / "signing.key", ORIGIN)
    told = with_signing_key(settings, folder, house.keyring)
    with SignerState(Path(told.signer_state_file)).locked() as tips:
        assert tips == {}
    assert announced(worker_sessions) == [
        each.verifier().text() for each in files.load(Path(told.signing_key_file))
    ]


def test_a_lost_key_is_said_and_no_other_takes_its_place(
    house: House, settings: Settings, folder: DataFolder, worker_sessions: Sessions
) -> None:
    key = Path(with_signing_key(settings, folder, house.keyring).signing_key_file)
    key.unlink()
    with pytest.raises(SigningKeyMissingError, match=r"signing\.key is missing: put it back"):
        with_signing_key(settings, folder, house.keyring)
    assert (key.exists(), len(announced(worker_sessions))) == (False, 1)


def test_a_memory_that_is_missing_or_empty_is_said_before_anything_is_started(
    house: House, settings: Settings, folder: DataFolder
) -> None:
    state = Path(with_signing_key(settings, folder, house.keyring).signer_state_file)
    state.write_bytes(b"")
    with pytest.raises(SigningError, match="damaged: put back"):
        with_signing_key(settings, folder, house.keyring)
    state.unlink()
    with pytest.raises(SigningError, match="missing"):
        with_signing_key(settings, folder, house.keyring)


def test_where_a_signer_is_named_no_key_is_made(
    house: House, worker_sessions: Sessions, database_url: str, folder: DataFolder
) -> None:
    given = Settings(database_url=database_url, origin=ORIGIN, signer_socket="/run/signer/socket")
    assert with_signing_key(given, folder, house.keyring) == given
    assert announced(worker_sessions) == []
    assert list(folder.path.iterdir()) == []


def test_only_the_worker_is_told_where_the_key_is() -> None:
    told = Settings(signing_key_file="/keys/signing", signer_state_file="/keys/state", signer_socket="/s")
    names = processes.signing(told).keys()
    given = {each.name: {each.env[name] for name in names} for each in processes.children(told)}
    assert given.pop("worker") == {"/keys/signing", "/keys/state", "/s"}
    assert set(map(frozenset, given.values())) == {frozenset({""})}
