import json
import os
import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reviewsvc.crypto import owned_files, signing_keys
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import MLDSA44, NoteError, open_note, parse_verifier
from reviewsvc.domain.checkpoint import parse_checkpoint
from reviewsvc.domain.signing import FORK, MALFORMED, STALE, Answer, SigningError, Tip, Wanted
from reviewsvc.domain.tree import EMPTY_ROOT, Frontier, consistency_proof, root_of
from reviewsvc.outside.signer_socket import SocketSigner
from reviewsvc.signer import SocketError, answer, reasons, served

pytestmark = pytest.mark.unit

ORIGIN = "audit.example.org"
LOG = f"{ORIGIN}/activity/0/0"
LEAVES = [bytes([n]) * 32 for n in range(200)]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    signing_keys.make(tmp_path / "key", ORIGIN)
    return tmp_path / "key"


@pytest.fixture
def signer(key_file: Path) -> LogSigner:
    made = LogSigner(key_file, key_file.with_name("state"))
    made.begin()
    return made


def vkeys(path: Path) -> list[str]:
    return [each.verifier().text() for each in signing_keys.load(path)]


def wanted(old: int, size: int, *, leaves: Sequence[bytes] = LEAVES, origin: str = LOG) -> Wanted:
    """What an honest sealer asks; with other leaves, what a liar asks."""
    rows: dict[tuple[int, int], bytes] = {}

    def keep(level: int, first: int, hashes: Sequence[bytes]) -> None:
        rows.update({(level, first + n): each for n, each in enumerate(hashes)})

    Frontier().extend(leaves[:size], keep)
    proof = consistency_proof(old, size, lambda level, index: rows[level, index]) if old <= size else []
    return Wanted(origin, old, size, root_of(leaves[:size]).hex(), [each.hex() for each in proof])


def test_what_extends_the_last_is_signed_under_the_logs_name(signer: LogSigner, key_file: Path) -> None:
    (vkey,) = vkeys(key_file)
    for old, size in ((0, 3), (3, 100), (100, 200)):
        (signed,) = signer.sign([wanted(old, size)], [vkey])
        verifier = signing_keys.named(parse_verifier(vkey), "activity/0/0")
        opened = open_note(signed.note.encode(), [verifier])
        assert parse_checkpoint(opened.text) == (LOG, size, root_of(LEAVES[:size]))
    assert signer.tips([LOG, f"{ORIGIN}/root/0"]) == [
        Tip(LOG, 200, root_of(LEAVES).hex()),
        Tip(f"{ORIGIN}/root/0", 0, EMPTY_ROOT.hex()),
    ]


OTHERS = [*LEAVES[:50], b"forged".ljust(32), *LEAVES[51:]]
FORGED: dict[str, tuple[Wanted, str]] = {
    "another root of the same size": (wanted(100, 100, leaves=OTHERS), FORK),
    "a fork behind an honest size": (wanted(100, 150, leaves=OTHERS), FORK),
    "fewer entries": (wanted(100, 60), FORK),
    "fewer entries, from their own size": (wanted(60, 60), STALE),
    "from the empty log again": (wanted(0, 150), STALE),
    "from beyond what is signed": (wanted(120, 150), STALE),
    "no proof": (Wanted(LOG, 100, 150, root_of(LEAVES[:150]).hex()), FORK),
    "a log of somebody else": (wanted(0, 5, origin="elsewhere.example.org/root/0"), MALFORMED),
    "the origin itself": (wanted(0, 5, origin=ORIGIN), MALFORMED),
    "a name with a line's end": (wanted(0, 5, origin=f"{LOG}\n7"), MALFORMED),
    "a name without end": (wanted(0, 5, origin=f"{LOG}{'x' * 1_000}"), MALFORMED),
    "a size below nothing": (Wanted(LOG, 100, -1, "00" * 32), MALFORMED),
    "a size beyond all": (Wanted(LOG, 100, 1 << 63, "00" * 32), MALFORMED),
    "a root that is no hash": (Wanted(LOG, 100, 150, "00" * 31), MALFORMED),
    "a proof that is no hash": (Wanted(LOG, 100, 150, "00" * 32, ["zz" * 32]), MALFORMED),
    "an endless proof": (Wanted(LOG, 100, 150, "00" * 32, ["00" * 32] * 65), MALFORMED),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_request_is_refused_and_leaves_the_memory_as_it_was(
    signer: LogSigner, key_file: Path, case: str
) -> None:
    (vkey,) = vkeys(key_file)
    signer.sign([wanted(0, 100)], [vkey])
    forged, code = FORGED[case]
    honest = wanted(0, 7, origin=f"{ORIGIN}/activity/1/0")
    told, beside = signer.sign([forged, honest], [vkey])
    assert (told.refused, told.note) == (code, "")
    assert told.why
    assert beside.note
    assert signer.tips([LOG])[0].size == 100
    (after,) = signer.sign([wanted(100, 150)], [vkey])
    assert after.note


def test_the_memory_is_on_the_disk_before_a_signature_exists(
    signer: LogSigner, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (vkey,) = vkeys(key_file)
    synced: list[str] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.append("fsync")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)

    def die(*_: Any) -> None:
        assert synced == ["fsync", "fsync"], "the file, and its folder"
        raise KeyboardInterrupt

    monkeypatch.setattr("reviewsvc.crypto.log_signer._note", die)
    with pytest.raises(KeyboardInterrupt):
        signer.sign([wanted(0, 100)], [vkey])
    monkeypatch.undo()
    again = LogSigner(key_file, key_file.with_name("state"))
    assert again.tips([LOG])[0].size == 100
    refused, signed = [again.sign([each], [vkey])[0] for each in (wanted(100, 99), wanted(100, 100))]
    assert (refused.refused, signed.refused) == (FORK, "")
    assert signed.note == again.sign([wanted(100, 100)], [vkey])[0].note


def test_two_at_once_on_one_memory_sign_one_history(key_file: Path, signer: LogSigner) -> None:
    (vkey,) = vkeys(key_file)
    other = LogSigner(key_file, key_file.with_name("state"))
    start = threading.Barrier(8)

    def race(number: int) -> Answer:
        start.wait()
        fork = [*LEAVES[:10], bytes([number]) * 32, *LEAVES[11:]]
        return (signer, other)[number % 2].sign([wanted(0, 100, leaves=fork)], [vkey])[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(race, range(8)))
    signed = [each for each in answers if each.note]
    assert len(signed) == 1
    assert {each.refused for each in answers if not each.note} == {STALE}


def test_a_lost_or_damaged_memory_stops_the_signer(signer: LogSigner, key_file: Path) -> None:
    (vkey,) = vkeys(key_file)
    signer.sign([wanted(0, 100), wanted(0, 7, origin=f"{ORIGIN}/root/0")], [vkey])
    state = key_file.with_name("state")
    whole = state.read_bytes()
    again = LogSigner(key_file, state)
    for damaged in (b"", whole[:-2], whole.replace(b"100", b"0100"), whole.partition(b"\n")[2], whole * 2):
        owned_files.replace(state, damaged)
        with pytest.raises(SigningError, match="cannot be read"):
            again.sign([wanted(100, 150)], [vkey])
        assert "it is damaged" in reasons(again)[0]
    owned_files.replace(state, whole.replace(ORIGIN.encode(), b"elsewhere.example"))
    with pytest.raises(SigningError, match=r"of the logs of elsewhere\.example.* put the right state there"):
        again.sign([wanted(100, 150)], [vkey])
    owned_files.replace(state, whole)
    assert reasons(again) == []
    with pytest.raises(SigningError, match="may this user write there"):
        LogSigner(key_file, key_file / "state").everything()
    state.unlink()
    with pytest.raises(SigningError, match="missing"):
        again.tips([LOG])


def test_only_named_keys_sign_and_a_new_one_is_found_in_the_file(signer: LogSigner, key_file: Path) -> None:
    (old,) = vkeys(key_file)
    new = signing_keys.add(key_file).verifier().text()
    second = signing_keys.add(key_file, MLDSA44).verifier().text()
    (signed,) = signer.sign([wanted(0, 100)], [new, second])
    known = [signing_keys.named(parse_verifier(each), "activity/0/0") for each in (new, second)]
    found = open_note(signed.note.encode(), known)
    assert [each.key_id for each in found.signatures] == [each.key_id for each in known]
    assert [each.time is None for each in found.signatures] == [True, False]
    with pytest.raises(NoteError, match="no known key"):
        open_note(signed.note.encode(), [signing_keys.named(parse_verifier(old), "activity/0/0")])
    with pytest.raises(SigningError, match="not in"):
        signer.sign([wanted(100, 101)], [new[:-4] + "AAA="])
    with pytest.raises(SigningError, match="no key"):
        signer.sign([wanted(100, 101)], [])


@pytest.fixture
def at_socket(signer: LogSigner, tmp_path: Path) -> Iterator[Path]:
    with served(signer, tmp_path / "socket"):
        yield tmp_path / "socket"


def test_a_signer_behind_a_socket_does_the_same(at_socket: Path, key_file: Path) -> None:
    (vkey,) = vkeys(key_file)
    client = SocketSigner(at_socket)
    told = client.sign([wanted(0, 100), *(forged for forged, _ in FORGED.values())], [vkey])
    assert told[0].note
    assert all(each.refused for each in told[1:])
    assert client.tips([LOG]) == [Tip(LOG, 100, root_of(LEAVES[:100]).hex())]
    with pytest.raises(SigningError, match="not in"):
        client.sign([wanted(100, 101)], ["audit.example.org+00000000+AAAA"])
    assert stat.S_IMODE(at_socket.stat().st_mode) == 0o660


@pytest.mark.parametrize("line", [b"\n", b"{}x\n", b'{"sign":1}\n', b"[" * 10_000 + b"\n", b'{"tips":[1]}\n'])
def test_what_is_no_question_gets_an_error_and_the_signer_lives(at_socket: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(at_socket))
        connection.sendall(line)
        told = json.loads(connection.makefile("rb").readline())
    assert told["error"]
    assert SocketSigner(at_socket).tips([LOG])[0].size == 0


def test_a_second_signer_does_not_take_the_socket_and_a_dead_ones_is_taken(
    at_socket: Path, signer: LogSigner, tmp_path: Path
) -> None:
    with pytest.raises(SocketError, match="another signer"), served(signer, at_socket):
        pass
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with served(signer, tmp_path / "dead"):
        assert SocketSigner(tmp_path / "dead").tips([LOG])
    (tmp_path / "file").touch()
    with pytest.raises(SocketError, match="no socket"), served(signer, tmp_path / "file"):
        pass


def test_a_signer_that_is_away_is_an_error_that_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="reviewsvc signer"):
        SocketSigner(tmp_path / "nobody").tips([LOG])
    assert answer(SocketSigner(tmp_path / "nobody"), b'{"tips":["x"]}').error
