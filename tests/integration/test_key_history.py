import os
import subprocess
import sys
from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import pytest

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.notes import ED25519, MLDSA44, Verifier, open_note, parse_verifier, signature_lines
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.connection import Connected, connect
from reviewsvc.usecases import signing_keys
from reviewsvc.usecases.sealing import SealingError
from reviewsvc.usecases.signing_keys import SigningKeyRefusedError
from tests.fixtures.house import RunProcesses
from tests.fixtures.installed import AT, SYSTEM
from tests.fixtures.processes import eventually
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def test_keys_are_rotated_with_an_overlap_and_each_change_is_an_entry(signed: SealedBank) -> None:
    signed.seal()
    (old,) = signed.vkeys()
    files.add(signed.key_file)
    new = signed.vkeys()[1]
    told = signing_keys.announce(
        signed.sessions, signed.bank.house.keyring, [new], overlap=DAY, actor=SYSTEM, at=AT + SECOND
    )
    assert [key.verifier.text() for key in told] == [new]
    signed.seal(AT + 2 * SECOND)
    note = signed.logs()["root/0"].note
    assert [signed.opened("root/0", note, key=key).text for key in (0, 1)]
    signed.bank.person("anna")
    signed.seal(AT + 2 * DAY)
    note = signed.logs()["root/0"].note
    assert signed.opened("root/0", note, key=1)
    assert f"+{old}"[-10:] not in note
    with signed.sessions.begin() as session:
        keys = signing_keys.history(session)
    ends = [None, AT + SECOND + DAY]
    assert [key.verifier.text() for key in keys] == [new, old]
    assert [key.valid_until for key in keys] == [end and int(end.timestamp() * 1e6) for end in ends]
    assert signed.bank.kinds("activity").count("signing_key") == 3


def test_a_second_signature_stands_on_the_root_alone(signed: SealedBank) -> None:
    files.add(signed.key_file, MLDSA44)
    signed.announce(signed.vkeys()[1])
    signed.seal()
    found = signed.logs()
    kinds = {name: kinds_of(signed, found[name].note, name) for name in ("root/0", "activity/0/0")}
    assert kinds == {"root/0": [ED25519, MLDSA44], "activity/0/0": [ED25519]}


def kinds_of(held: SealedBank, note: str, name: str) -> list[int]:
    known = [files.named(parse_verifier(vkey), name) for vkey in held.vkeys()]
    by_id = {each.key_id: each.kind for each in known}
    return sorted(by_id[each.key_id] for each in open_note(note.encode(), known).signatures)


def test_without_a_good_key_nothing_is_sealed_and_it_is_said(signed: SealedBank) -> None:
    signed.seal()
    keyring = signed.bank.house.keyring
    (vkey,) = signed.vkeys()
    signing_keys.end(signed.sessions, keyring, vkey, until=AT + SECOND, actor=SYSTEM, at=AT)
    with pytest.raises(SealingError, match="keys rotate"):
        signed.seal(AT + 2 * SECOND)
    with pytest.raises(SigningKeyRefusedError, match="has ended"):
        signed.announce(vkey, at=AT + 2 * SECOND)


def test_a_key_of_somebody_else_is_not_announced(signed: SealedBank) -> None:
    other = Verifier("elsewhere.example.org", ED25519, bytes(32)).text()
    for wrong in (other, "no key", signed.vkeys()[0] + "A"):
        with pytest.raises(SigningKeyRefusedError):
            signed.announce(wrong)


def test_a_key_that_is_announced_twice_is_said_once(signed: SealedBank) -> None:
    signed.announce(*signed.vkeys())
    assert signed.bank.kinds("activity").count("signing_key") == 1


def test_the_worker_seals_with_the_key_that_the_command_made(
    process_settings: dict[str, str], run_processes: RunProcesses, database_url: str, tmp_path: Path
) -> None:
    keys = {"REVIEWSVC_SIGNING_KEY_FILE": str(tmp_path / "signing.key")}
    made = command("keys", "make", settings=process_settings | keys)
    run_processes("worker", **keys)
    with connect(database_url, "read") as connection:
        assert eventually(lambda: len(stored.sealed_logs(connection)) == 5)
        notes = {each.name: each.note for each in stored.sealed_logs(connection)}
    for name, note in notes.items():
        assert open_note(note.encode(), [files.named(parse_verifier(made), name)])
    listed = command("keys", "list", settings=process_settings | keys)
    assert listed.startswith(made)
    assert command("keys", "make", settings=process_settings | keys) == made
    new = command("keys", "rotate", "--overlap-days", "1", settings=process_settings | keys)
    with connect(database_url, "read") as connection:
        assert eventually(lambda: new_id(new) in root_note(connection))


def new_id(vkey: str) -> bytes:
    return files.named(parse_verifier(vkey), "root/0").key_id


def root_note(connection: Connected) -> set[bytes]:
    found = stored.sealed_log(connection, "root/0")
    assert found is not None
    return {b64decode(line.split()[2])[:4] for line in signature_lines(found.note.encode())}


def command(*words: str, settings: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "reviewsvc.cli", *words],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()
