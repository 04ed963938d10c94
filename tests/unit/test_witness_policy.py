import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc import verify
from reviewsvc.crypto.notes import COSIGNATURE, ED25519, Signer
from reviewsvc.domain.witness_policy import PolicyError, parse_policy
from tests.unit.tlog_vectors import vectors

pytestmark = pytest.mark.unit

VKEYS = [Signer(f"w{n}.example", COSIGNATURE, bytes([n + 1]) * 32).verifier().text() for n in range(5)]
LOG = Signer("log.example", ED25519, bytes(32)).verifier().text()
HEADER = "".join(f"witness {name} {vkey}\n" for name, vkey in zip("abcde", VKEYS, strict=True))


def test_the_vectors_own_policy_is_met_by_both() -> None:
    found = vectors("cosignatures")
    policy = parse_policy(found["policy_2_of_2"].encode())
    assert policy.is_met(found["witness_vkeys"])
    assert not policy.is_met(found["witness_vkeys"][:1])


BAD = {
    "no quorum": HEADER,
    "two quorums": f"{HEADER}quorum a\nquorum b\n",
    "a quorum of nobody": f"{HEADER}quorum z\n",
    "a group before its members": f"group g any a\n{HEADER}quorum g\n",
    "a member of two groups": f"{HEADER}group g any a b\ngroup h any b c\nquorum g\n",
    "a member twice": f"{HEADER}group g 2 a a\nquorum g\n",
    "none as a member": f"{HEADER}group g any none\nquorum g\n",
    "more than there are": f"{HEADER}group g 3 a b\nquorum g\n",
    "none of them": f"{HEADER}group g 0 a b\nquorum g\n",
    "a leading zero": f"{HEADER}group g 01 a b\nquorum g\n",
    "no members": f"{HEADER}group g any\nquorum none\n",
    "a name twice": f"{HEADER}witness a {LOG}\nquorum a\n",
    "a key twice": f"{HEADER}witness f {VKEYS[0]}\nquorum a\n",
    "a log twice": f"log {LOG}\nlog {LOG} http://x\nquorum none\n",
    "a word too much": f"{HEADER}quorum a b\n",
    "an unknown word": f"{HEADER}Quorum a\n",
    "CR": f"{HEADER}quorum a\r\n",
    "a key that is none": "witness a b\nquorum a\n",
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_policy_is_refused_here_and_by_the_outsiders_program(case: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(BAD[case].encode())
    with pytest.raises(verify.WrongError):
        verify.Policy(BAD[case].encode())


def test_spaces_tabs_comments_and_strange_octets_are_taken() -> None:
    text = f"\t# ours\n\n \twitness \t a\xe9 {VKEYS[0]}\thttp://x \nlog {LOG}\nquorum a\xe9"
    policy = parse_policy(text.encode("latin-1"))
    assert policy.witnesses[0].url == "http://x"
    assert policy.is_met([VKEYS[0]])
    assert not policy.is_met([])
    assert parse_policy(b"quorum none\n").is_met([])


@given(
    st.lists(st.sampled_from("abcde"), unique=True),
    st.integers(1, 2),
    st.sampled_from(["any", "all", "1", "2"]),
)
def test_both_readers_judge_the_same_witnesses_alike(signed: list[str], inner: int, outer: str) -> None:
    text = f"{HEADER}group g {inner} a b\ngroup h all c d\ngroup q {outer} g h\nquorum q\n".encode()
    vkeys = [VKEYS["abcde".index(name)] for name in signed]
    keys = {verify.parse_key(vkey) for vkey in vkeys}
    assert parse_policy(text).is_met(vkeys) == verify.Policy(text).is_met(keys)
