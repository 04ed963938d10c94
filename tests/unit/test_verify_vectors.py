"""The offline verifier against vectors of others: signatures, notes, trees, tiles, proofs, policies."""

from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc import verify as v
from tests.unit.tlog_vectors import entry, vectors

pytestmark = pytest.mark.unit

LOG = v.parse_key(vectors("keys")["log"]["vkey"])
NEXT = v.parse_key(vectors("keys")["log_next"]["vkey"])
WITNESSES = [v.parse_key(each["vkey_type04"]) for each in vectors("keys")["witnesses"]]
SIZES = sorted({case["size"] for case in vectors("checkpoints")["checkpoints"]})
LEAVES = [v.leaf_hash(entry(index)) for index in range(max(SIZES))]

# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_signatures_of_the_rfc_hold(secret: str, public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(each) for each in (public, message, signature))
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == signed
    assert v.verify_ed25519(key, text, signed)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99), st.integers(0, 511))
def test_a_signature_holds_until_any_bit_of_it_changes(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    changed = (int.from_bytes(signature) ^ 1 << bit).to_bytes(64)
    assert v.verify_ed25519(key, message, signature)
    assert not v.verify_ed25519(key, message, changed)
    assert not v.verify_ed25519(key, message + b"\0", signature)


def test_a_signature_has_one_form_and_a_key_one_encoding() -> None:
    _, public, message, signature = (bytes.fromhex(each) for each in RFC_8032[1])
    s = int.from_bytes(signature[32:], "little") + v.ORDER
    assert not v.verify_ed25519(public, message, signature[:32] + s.to_bytes(32, "little"))
    assert not v.verify_ed25519((1 + v.PRIME).to_bytes(32, "little"), message, signature)
    assert not v.verify_ed25519(public[:31], message, signature)
    assert not v.verify_ed25519(public, message, signature[:63])


@pytest.mark.parametrize("encoded", ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32, "00" * 31 + "80"])
def test_anybody_could_sign_for_a_key_of_small_order_so_none_is_taken(encoded: str) -> None:
    neutral = bytes.fromhex("01" + "00" * 31)
    assert not v.verify_ed25519(bytes.fromhex(encoded), b"anything", neutral + bytes(32))


@pytest.mark.parametrize("case", vectors("notes")["cases"], ids=lambda case: case["what"])
def test_notes_are_taken_and_refused_as_others_do(case: dict[str, Any]) -> None:
    try:
        note = v.open_note(case["note"].encode(), [LOG])
    except v.WrongError:
        note = None
    if case["what"] == "good line and then a bad line of the same key":
        return
    assert bool(note and note.signers) == case["accepted"]
    if note and note.signers:
        assert note.text == case["text"]


def test_two_keys_of_one_name_are_two_signers() -> None:
    case = next(each for each in vectors("notes")["cases"] if each["what"].startswith("rotation"))
    note = v.open_note(case["note"].encode(), [LOG, NEXT])
    assert [key for key, _ in note.signers] == [LOG, NEXT]


@pytest.mark.parametrize("text", ["a+b", "x y+0+AA==", LOG.name, f"{LOG.name}+00000000+{'A' * 44}", "é+é+é"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(v.WrongError):
        v.parse_key(text)


def test_the_key_of_the_specification_opens_its_note() -> None:
    example = vectors("keys")["spec_example"]
    key = v.parse_key(example["vkey"])
    assert v.open_note(example["note"].encode(), [key]).signers == [(key, None)]


@pytest.mark.parametrize("case", vectors("cosignatures")["cases"], ids=lambda case: str(case["size"]))
def test_cosignatures_hold_and_tell_their_time(case: dict[str, Any]) -> None:
    note = v.open_note(case["cosigned_checkpoint"].encode(), [LOG, *WITNESSES])
    assert note.signers[1] == (WITNESSES[0], case["time_of_w1"])
    assert [key for key, _ in note.signers] == [LOG, *WITNESSES]
    late = case["cosigned_checkpoint"].replace(f"{case['size']}\n", f"{case['size'] + 1}\n", 1)
    with pytest.raises(v.WrongError):
        v.open_note(late.encode(), WITNESSES)


@pytest.mark.parametrize("case", vectors("checkpoints")["checkpoints"], ids=lambda case: str(case["size"]))
def test_checkpoints_and_roots_agree_with_others(case: dict[str, Any]) -> None:
    note = v.open_note(case["checkpoint"].encode(), [LOG])
    found = v.parse_checkpoint(note.text)
    assert (found.origin, found.entries, found.root.hex()) == (LOG.name, case["size"], case["root_hex"])
    assert v.root_of(LEAVES[: case["size"]]).hex() == case["root_hex"]


@pytest.mark.parametrize(
    "text", ["", "a\n1\n", "\n1\nAA==\n", "a\n01\nAA==\n", "a\n1\nAA==\nmore\n", "a\n1\nAA=="]
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(v.WrongError):
        v.parse_checkpoint(text)


def test_inclusion_proofs_of_others_hold_and_no_other_leaf_does() -> None:
    roots = {size: v.root_of(LEAVES[:size]) for size in SIZES}
    for case in vectors("inclusion"):
        leaf, proof = b64decode(case["leaf_hash_base64"]), [b64decode(each) for each in case["proof"]]
        index, size = case["index"], case["size"]
        v.check_inclusion(leaf, index, size, proof, roots[size])
        for wrong in [
            (bytes(32), index, size, proof),
            (leaf, size, size, proof),
            (leaf, index, size, [*proof, bytes(32)]),
            (leaf, -1, size, proof),
        ]:
            with pytest.raises(v.WrongError):
                v.check_inclusion(*wrong, roots[size])


def test_consistency_proofs_of_others_hold_and_no_other_root_does() -> None:
    for case in vectors("consistency")["cases"]:
        old, new = case["old"], case["new"]
        proof = [b64decode(each) for each in case["proof"]]
        old_root, new_root = b64decode(case["old_root_base64"]), b64decode(case["new_root_base64"])
        v.check_consistency(old, new, old_root, new_root, proof)
        for wrong in [(bytes(32), new_root, proof), (old_root, new_root, [*proof, bytes(32)])]:
            with pytest.raises(v.WrongError):
                v.check_consistency(old, new, *wrong)
        if old:
            with pytest.raises(v.WrongError):
                v.check_consistency(old, new, old_root, bytes(32), proof)


@pytest.mark.parametrize("case", vectors("tlog_proofs")["cases"])
def test_proofs_of_others_hold(case: dict[str, Any]) -> None:
    index, hashes, checkpoint, extra = v.parse_proof(case["tlog_proof"].encode())
    found = v.parse_checkpoint(v.open_note(checkpoint, [LOG]).text)
    v.check_inclusion(v.leaf_hash(case["entry"].encode()), index, found.entries, hashes, found.root)
    assert (index, found.entries) == (case["index"], case["size"])
    assert (extra or b"") == b64decode(case["extra_base64"])


def test_tiles_and_bundles_of_others_have_these_paths_and_hashes() -> None:
    for tree in vectors("tiles")["trees"]:
        for tile in tree["tiles"]:
            _, level, path = tile["path"].split("/", 2)
            number, _, width = path.partition(".p/")
            index = int(number.replace("x", "").replace("/", ""))
            assert v.tile_path(int(level), index, int(width or 256)) == tile["path"]
            assert sha256(_tile(int(level), index, int(width or 256))).hexdigest() == tile["sha256"]


def _tile(level: int, index: int, width: int) -> bytes:
    step = 256**level
    places = range(index * 256, index * 256 + width)
    return b"".join(v.root_of(LEAVES[at * step : (at + 1) * step]) for at in places)


@pytest.mark.parametrize("case", vectors("tiles")["entry_bundles"], ids=lambda case: str(case["to"]))
def test_a_bundle_of_others_is_read_and_no_other_width_is(case: dict[str, Any]) -> None:
    entries = [entry(index) for index in range(case["from"], case["to"])]
    data = b"".join(len(each).to_bytes(2) + each for each in entries)
    assert sha256(data).hexdigest() == case["sha256"]
    assert v.parse_entries(data, len(entries)) == entries
    for wrong in [(data, len(entries) + 1), (data[:-1], len(entries)), (data + b"\0", len(entries))]:
        with pytest.raises(v.WrongError):
            v.parse_entries(*wrong)


def test_a_policy_of_two_of_two_is_met_by_both() -> None:
    policy = v.Policy(vectors("cosignatures")["policy_2_of_2"].encode())
    assert policy.logs == [LOG]
    assert policy.is_met({*WITNESSES})
    assert not policy.is_met({WITNESSES[0]})
    assert not policy.is_met({LOG, *(each._replace(kind=1) for each in WITNESSES)})


def _policy(*lines: str) -> bytes:
    witnesses = vectors("cosignatures")["witness_vkeys"]
    return "\n".join(
        [f"witness a {witnesses[0]} https://w.example/", f"\twitness b {witnesses[1]}", *lines]
    ).encode()


def test_groups_are_any_all_or_so_many() -> None:
    one, both = {WITNESSES[0]}, {*WITNESSES}
    for threshold, met in [("any", True), ("1", True), ("all", False), ("2", False)]:
        policy = v.Policy(_policy("# ours", "", f"group g {threshold} a b", "quorum g"))
        assert policy.is_met(both)
        assert policy.is_met(one) is met
    assert v.Policy(_policy("quorum none")).is_met(set())
    assert v.Policy(_policy("group g any a", "group h all g b", "quorum h")).is_met(both)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["quorum c"],
        ["group g all a c", "quorum g"],
        ["group g 3 a b", "quorum g"],
        ["group g 0 a b", "quorum g"],
        ["group g any a a", "quorum g"],
        ["group g any a", "group h any a", "quorum h"],
        ["group none any a", "quorum none"],
        ["group g any none", "quorum g"],
        ["quorum a", "quorum a"],
        ["quorum none extra"],
        [f"witness c {vectors('cosignatures')['witness_vkeys'][0]}", "quorum none"],
        [f"witness c {LOG.name}", "quorum none"],
        [f"witness c {vectors('keys')['log']['vkey']}", "quorum none"],
        ["something else", "quorum none"],
        ["quorum none\r"],
    ],
)
def test_what_is_no_policy_is_refused(lines: list[str]) -> None:
    with pytest.raises(v.WrongError):
        v.Policy(_policy(*lines))
