from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.crypto.notes import (
    COSIGNATURE,
    ED25519,
    NoteError,
    Signer,
    open_note,
    parse_signer,
    parse_verifier,
    sign,
    signature_lines,
)
from reviewsvc.domain.checkpoint import Checkpoint, CheckpointError, parse_checkpoint
from tests.unit.tlog_vectors import vectors

pytestmark = pytest.mark.unit

KEYS = vectors("keys")
LOG = parse_signer(KEYS["log"]["skey"])
# Go skips a second line of a key that it has verified; the specification says to refuse it, as we do.
STRICTER = "good line and then a bad line of the same key"


@pytest.mark.parametrize("case", vectors("notes")["cases"], ids=lambda case: case["what"])
def test_notes_are_judged_as_others_judge_them(case: dict[str, Any]) -> None:
    known = [parse_verifier(vectors("notes")["vkey"]), parse_verifier(KEYS["log_next"]["vkey"])]
    if case["accepted"] and case["what"] != STRICTER:
        assert open_note(case["note"].encode(), known).text == case["text"]
    else:
        with pytest.raises(NoteError):
            open_note(case["note"].encode(), known[:1])


def test_the_specifications_own_example_opens() -> None:
    example = KEYS["spec_example"]
    opened = open_note(example["note"].encode(), [parse_verifier(example["vkey"])])
    assert opened.text == "This is an example message.\n"


@pytest.mark.parametrize("name", ["log", "log_next"])
def test_keys_are_read_and_written_as_others_do(name: str) -> None:
    key = KEYS[name]
    signer = parse_signer(key["skey"])
    assert (signer.name, signer.seed.hex(), signer.text()) == (key["origin"], key["seed_hex"], key["skey"])
    assert signer.verifier().text() == key["vkey"]
    assert parse_verifier(key["vkey"]) == signer.verifier()
    assert signer.seed.hex() not in repr(signer)


def test_checkpoints_are_signed_byte_for_byte_as_others_sign_them() -> None:
    for each in vectors("checkpoints")["checkpoints"]:
        text = Checkpoint(LOG.name, each["size"], bytes.fromhex(each["root_hex"])).text()
        assert sign(text, [LOG.line(text)]) == each["checkpoint"]
        assert parse_checkpoint(open_note(each["checkpoint"].encode(), [LOG.verifier()]).text).text() == text


def test_cosignatures_are_made_and_checked_as_others_do() -> None:
    given_ = vectors("cosignatures")
    witnesses = [parse_verifier(text) for text in given_["witness_vkeys"]]
    first = Signer(witnesses[0].name, COSIGNATURE, bytes.fromhex(KEYS["witnesses"][0]["seed_hex"]))
    for each in given_["cases"]:
        note = each["cosigned_checkpoint"].encode()
        opened = open_note(note, witnesses)
        assert (opened.signatures[0].name, opened.signatures[0].time) == (first.name, each["time_of_w1"])
        assert len(opened.signatures) == 2
        assert each["signed_message_of_w1"].endswith(opened.text)
        assert first.line(opened.text, each["time_of_w1"]) in signature_lines(note)


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80),
    seed=st.binary(min_size=32, max_size=32),
    place=st.integers(0, 400),
    bit=st.integers(0, 7),
)
def test_a_note_opens_and_with_any_bit_changed_it_does_not(
    text: str, seed: bytes, place: int, bit: int
) -> None:
    signer = Signer("log.example/x", ED25519, seed)
    note = sign(f"{text}\n", [signer.line(f"{text}\n")]).encode()
    assert open_note(note, [signer.verifier()]).text == f"{text}\n"
    changed = bytearray(note)
    changed[place % len(changed)] ^= 1 << bit
    with pytest.raises(NoteError):
        open_note(bytes(changed), [signer.verifier()])


@given(note=st.binary(max_size=200))
def test_noise_is_refused_as_a_note(note: bytes) -> None:
    with pytest.raises(NoteError):
        open_note(note, [LOG.verifier()])
    with pytest.raises(NoteError):
        open_note(b"text\n\n" + note, [LOG.verifier()])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.example",
        "log.example+9052e2e0",
        KEYS["log"]["vkey"].replace("9052e2e0", "9052e2e1"),
        KEYS["log"]["vkey"].replace("9052e2e0", "9052E2E0"),
        KEYS["log"]["vkey"].replace("log.example", "log example"),
        KEYS["log"]["vkey"][:-2] + "T",
        KEYS["log"]["vkey"].replace("+ASFS", "+BSFS"),
        "log.example+00000000+" + b64encode(b"\1short").decode(),
    ],
)
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_verifier(text)
    with pytest.raises(NoteError) as refused:
        parse_signer(text)
    assert "QkJC" not in str(refused.value)


def test_a_cosigner_says_when_and_a_signer_does_not() -> None:
    with pytest.raises(NoteError):
        LOG.line("text\n", 5)
    with pytest.raises(NoteError):
        Signer("w", COSIGNATURE, bytes(32)).line("text\n")
    zero = Signer("w", COSIGNATURE, bytes(32))
    note = sign("text\n", [zero.line("text\n", 0)])
    with pytest.raises(NoteError, match="time 0"):
        open_note(note.encode(), [zero.verifier()])


@pytest.mark.parametrize("text", ["no newline", "tab\t\n", "cr\r\n", ""])
def test_a_text_that_cannot_be_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        sign(text, [])


ROOT = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"origin\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n1_0\n{ROOT}\n",
        f"origin\n\u0661\n{ROOT}\n",
        f"origin\n{2**63}\n{ROOT}\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT[:-2]}B=\n",
        "origin\n1\nAAAA\n",
        f"origin\n1\n{ROOT}\nextension\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        parse_checkpoint(text)


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_back(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("log.example/predictions/t/0/0", size, root)
    assert parse_checkpoint(checkpoint.text()) == checkpoint
