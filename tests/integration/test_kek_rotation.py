"""Replacing the key-encryption key while keys are being made and read."""

import os
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from reviewsvc.crypto.kek import KekError, KekFile, load_kek
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.db import tables as t
from reviewsvc.db.hot.connection import connect
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases import kek_rotation, labels
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.kek_rotation import KekInUseError
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.payload_keys import PayloadKeys
from tests.fixtures.cases import event
from tests.fixtures.erasing import STEWARD, Eraser
from tests.fixtures.installed import AT, KEK_BYTES

pytestmark = pytest.mark.real


@pytest.fixture
def kek_file(tmp_path: Path) -> Path:
    path = tmp_path / "kek"
    path.write_text(KEK_BYTES.hex())
    path.chmod(0o600)
    return path


def rotate(sessions: Sessions, kek: KekFile) -> kek_rotation.Rotated:
    return kek_rotation.rotate(sessions, Keyring(kek), kek, actor=STEWARD, at=AT)


def write(database_url: str, path: Path, stop: threading.Event, made: list[bytes]) -> None:
    """Make keys of new subjects and read them all again, as another process does."""
    with connect(database_url, "capture") as connection:
        keys = PayloadKeys(load_kek(path))
        while not stop.is_set():
            subjects = [os.urandom(32) for _ in range(20)]
            keys.ensure(connection, subjects, [])
            made += subjects
            keys.forget()
            keys.ensure(connection, made[-200:], [])


def test_all_keys_move_to_a_new_kek_while_others_are_made(eraser: Eraser, kek_file: Path) -> None:
    bank, sessions = eraser.bank, eraser.desk.sessions
    bank.capture([event("p-1"), event("p-2")])
    anna = bank.person("anna")
    bank.decide(anna, bank.claim(anna)[0])
    kek, stop, made = load_kek(kek_file), threading.Event(), list[bytes]()
    reader = Desk(bank.house.sessions, Keyring(load_kek(kek_file)))
    (former,) = kek.kek_ids()
    writer = threading.Thread(target=write, args=(bank.database_url, kek_file, stop, made))
    writer.start()
    while len(made) < 100:
        stop.wait(0.01)
    done = rotate(sessions, kek)
    began = len(made)
    while len(made) < began + 100 and writer.is_alive():
        stop.wait(0.01)
    assert writer.is_alive()
    stop.set()
    writer.join()
    rotate_again = kek_rotation.state(sessions)
    if len(rotate_again) > 1:
        assert rotate(sessions, kek).kek_id == done.kek_id
    assert [one.kek_id for one in kek_rotation.state(sessions)] == [done.kek_id]
    assert (done.hash_keys, done.data_keys > 100) == (4, True)
    assert kek_rotation.retire(sessions, kek) == [former]
    assert load_kek(kek_file).kek_ids() == [done.kek_id]
    with pytest.raises(KekError):
        open_keks(text=KEK_BYTES.hex()).unwrap(stored_key(bank.rows))
    (label,) = labels.page(reader, "loans", None, 9, actor=STEWARD, at=AT).items
    assert label.prediction_id == "p-1"
    assert eraser.verified().verdict is Verdict.VERIFIED


def test_an_interrupted_rotation_goes_on_and_nothing_in_use_is_retired(
    eraser: Eraser, kek_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eraser.bank.capture([event(f"p-{n}") for n in range(5)])
    kek = load_kek(kek_file)
    monkeypatch.setattr(kek_rotation, "BATCH", 2)

    def stop(done: int, _of: int) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kek_rotation.rotate(eraser.desk.sessions, Keyring(kek), kek, actor=STEWARD, at=AT, progress=stop)
    with pytest.raises(KekInUseError, match="rotate-kek"):
        kek_rotation.retire(eraser.desk.sessions, kek)
    current = kek.kek_ids()[0]
    done = rotate(eraser.desk.sessions, kek)
    assert (done.kek_id, done.hash_keys) == (current, 4)
    assert len(kek.kek_ids()) == 2


def stored_key(rows: object) -> bytes:
    found = rows(sa.select(t.data_key.c.wrapped).limit(1))  # type: ignore[operator] # the bank's
    return bytes(found[0].wrapped)
