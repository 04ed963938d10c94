"""Several key-encryption keys: the first wraps, all unwrap, and a running process follows a change."""

import os
from pathlib import Path

import pytest

from reviewsvc.crypto.kek import Kek, KekError, KekFile, load_kek
from reviewsvc.crypto.kek_sources import open_keks
from reviewsvc.crypto.keystore import Keystore, open_keystore

pytestmark = pytest.mark.unit

OLD, NEW, KEY = bytes(32), b"\x01" * 32, b"\x02" * 32


@pytest.mark.parametrize("place", ["file", "kms"])
def test_a_running_process_follows_a_new_kek_and_reads_what_the_old_one_wrapped(
    tmp_path: Path, place: str
) -> None:
    path = tmp_path / "keks"
    other: KekFile | Keystore
    if place == "file":
        path.write_text(OLD.hex())
        path.chmod(0o600)
        other, running = load_kek(path), open_keks(file=str(path))
    else:
        other = open_keystore(str(path))
        running = open_keks(kms=f"reviewsvc.crypto.keystore:open_keystore?{path}")
    former = running.wrap(KEY)
    made = other.renew()
    assert running.wrap(KEY).kek_id == made != former.kek_id
    assert running.unwrap(other.wrap(KEY).wrapped) == running.unwrap(former.wrapped) == KEY
    other.retire(former.kek_id)
    os.utime(path / "current" if place == "kms" else path, ns=(1, 1))
    assert running.kek_ids() == [made]
    again = load_kek(path) if place == "file" else open_keystore(str(path))
    with pytest.raises(KekError, match="not among those given"):
        again.unwrap(former.wrapped)


def test_keks_from_the_environment_stand_beside_each_other(tmp_path: Path) -> None:
    both = open_keks(text=f"{NEW.hex()}, {OLD.hex()}")
    assert both.kek_ids() == [Kek(NEW).kek_id, Kek(OLD).kek_id]
    assert both.unwrap(Kek(OLD).wrap(KEY).wrapped) == KEY
    with pytest.raises(KekError, match="before them"):
        both.renew()
    with pytest.raises(KekError, match="exactly one"):
        open_keks(text=NEW.hex(), file=str(tmp_path))
    with pytest.raises(KekError, match="names nothing"):
        open_keks(kms="no.such.module:at_all")
