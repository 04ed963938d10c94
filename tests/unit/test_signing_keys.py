import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.crypto import signing_keys
from reviewsvc.crypto.notes import (
    ED25519,
    MLDSA44,
    NoteError,
    Signer,
    open_note,
    parse_signer,
    parse_verifier,
    sign,
)
from reviewsvc.crypto.signing_keys import SigningKeyError
from reviewsvc.domain.checkpoint import Checkpoint
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

ORIGIN = "audit.example.org"
SECOND = Signer(f"{ORIGIN}/root/0", MLDSA44, bytes(range(32)))
CHECKPOINT = Checkpoint(SECOND.name, 70_000, bytes(32)).text()


def test_a_key_file_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert signing_keys.make(path, ORIGIN)
    before = path.read_bytes()
    assert not signing_keys.make(path, ORIGIN)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    added = signing_keys.add(path)
    assert path.read_bytes() == before + f"{added.text()}\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing_keys.load(path)[-1] == added
    assert set(tmp_path.iterdir()) == {path, tmp_path / "key.lock"}


def test_keys_of_another_origin_are_refused(tmp_path: Path) -> None:
    signing_keys.make(tmp_path / "key", ORIGIN)
    with pytest.raises(SigningKeyError, match="not of elsewhere"):
        signing_keys.make(tmp_path / "key", "elsewhere.example.org")


@pytest.mark.parametrize("held", ["", "\n", "no key\n", "PRIVATE+KEY+x+00000000+AAAA\n", "é\n"])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, held: str) -> None:
    (tmp_path / "key").write_text(held)
    with pytest.raises(SigningKeyError):
        signing_keys.load(tmp_path / "key")


def test_a_file_that_others_may_write_or_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(SigningKeyError, match="keys make"):
        signing_keys.load(path)
    signing_keys.make(path, ORIGIN)
    path.chmod(0o620)
    with pytest.raises(SigningKeyError, match="chmod 600"):
        signing_keys.load(path)


def test_one_key_has_another_id_under_each_name() -> None:
    key = Signer(ORIGIN, ED25519, bytes(32))
    one, other = (signing_keys.named(key, log) for log in ("root/0", "activity/0/0"))
    assert (one.name, one.seed) == ("audit.example.org/root/0", key.seed)
    assert len({each.verifier().key_id for each in (key, one, other)}) == 3
    assert signing_keys.named(key.verifier(), "root/0") == one.verifier()


def test_a_second_signature_holds_and_says_when() -> None:
    note = sign(CHECKPOINT, [SECOND.line(CHECKPOINT, 1_795_167_000)])
    found = open_note(note.encode(), [SECOND.verifier()])
    assert [each.time for each in found.signatures] == [1_795_167_000]
    assert parse_verifier(SECOND.verifier().text()) == SECOND.verifier()
    assert parse_signer(SECOND.text()) == SECOND
    assert len(SECOND.verifier().key) == 1312


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_second_signature_does_not_survive_a_flipped_bit(at: int, bit: int) -> None:
    text = CHECKPOINT.encode()
    line = SECOND.line(CHECKPOINT, 1_795_167_000)
    at %= len(text) - 1
    forged = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
    with pytest.raises(NoteError):
        open_note(forged + b"\n" + line.encode(), [SECOND.verifier()])


def test_a_second_signature_is_over_checkpoints_alone() -> None:
    with pytest.raises(NoteError, match="checkpoints alone"):
        SECOND.line("something else\n", 1)
    long = Signer("x" * 256, MLDSA44, bytes(32))
    with pytest.raises(NoteError, match="255"):
        long.line(Checkpoint(long.name, 1, bytes(32)).text(), 1)


def test_the_page_for_outsiders_makes_what_openssl_verifies_a_second_signature_with(tmp_path: Path) -> None:
    page = (ROOT / "docs/verifying.md").read_text()
    program = page.partition("```python\n")[2].partition("```")[0]
    folder = tmp_path / "logs/root/0"
    folder.mkdir(parents=True)
    first = Signer(SECOND.name, ED25519, bytes(32))
    note = sign(CHECKPOINT, [first.line(CHECKPOINT), SECOND.line(CHECKPOINT, 1_795_000_000)])
    (folder / "checkpoint").write_text(note)
    keys = [{"vkey": Signer(ORIGIN, each.kind, each.seed).verifier().text()} for each in (first, SECOND)]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
    subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, check=True)
    key = load_pem_public_key((tmp_path / "KEY.pem").read_bytes())
    assert isinstance(key, MLDSA44PublicKey)
    key.verify((tmp_path / "SIGNATURE").read_bytes(), (tmp_path / "TEXT").read_bytes())
